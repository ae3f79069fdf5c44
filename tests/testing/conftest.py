"""Fixtures: the harness with the functions of a shop."""

import asyncio

import pytest

from ostinato.testing import Harness
from tests.testing import shop


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    shop.calls.clear()
    shop.everyone = asyncio.Event()


@pytest.fixture
def h(ostinato: Harness) -> Harness:
    """Return a harness, at the start of Monday, 1 January 2035."""
    return ostinato
