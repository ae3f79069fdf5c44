"""Tests of job functions: the harness, with a clock that the test moves, and the pytest plugin.

Names are loaded on first use: pytest imports the plugin in every run.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.testing.blocking import BlockingHarness
    from ostinato.testing.harness import Harness
    from ostinato.testing.servers import TestServers

__all__ = ["BlockingHarness", "Harness", "TestServers"]

HOMES: Final = {"BlockingHarness": "blocking", "Harness": "harness", "TestServers": "servers"}
"""The module that defines each public name."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in HOMES:
            return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
