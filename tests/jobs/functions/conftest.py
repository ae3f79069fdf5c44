"""Fixtures: installations with and without a worker."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ostinato.jobs.settings import Settings
from tests.jobs.functions import work
from tests.jobs.functions.pattern_rig import PatternRig, open_rig, running_rig


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that load the tests' own functions, with a timeout for a busy machine."""
    work.faults.clear()
    work.gate.reset()
    changes = {"functions": ("tests.jobs.functions.work",), "mutation_timeout_ms": 55_000}
    return settings.model_copy(update=changes)


@pytest.fixture
async def rig(pattern_settings: Settings) -> AsyncIterator[PatternRig]:
    """Return an installation with a worker in this process."""
    async with running_rig(pattern_settings) as rig:
        yield rig


@pytest.fixture
async def rig_without_worker(pattern_settings: Settings) -> AsyncIterator[PatternRig]:
    """Return an installation without a worker."""
    async with open_rig(pattern_settings) as rig:
        yield rig


@pytest.fixture
def _open_gate() -> Iterator[None]:
    """Let `work.wait_at_gate` end with the test, before its worker stops."""
    yield
    work.gate.opened.set()
