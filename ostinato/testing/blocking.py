"""The harness for tests without async: in a thread that runs an event loop."""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, Unpack

from ostinato.jobs.records import Job, JobState
from ostinato.jobs.registry import FunctionRef
from ostinato.jobs.settings import Settings
from ostinato.sync import LoopThread, Ostinato, entered_in_thread
from ostinato.testing.faults import Error
from ostinato.testing.harness import Duration, Harness, HarnessOptions

T = TypeVar("T")


class BlockingHarness:
    """Runs job functions under a clock that only the test moves; see `Harness`.

    The functions run in the harness's thread.
    """

    def __init__(self, harness: Harness, thread: LoopThread) -> None:
        self.harness: Final = harness
        """The asynchronous harness; its coroutines run in the thread of this one: see `run`."""
        self.app: Final = Ostinato(harness.app, thread)
        """The blocking Python client."""
        self._thread = thread

    @classmethod
    @contextmanager
    def open(
        cls, settings: Settings, **options: Unpack[HarnessOptions]
    ) -> Iterator["BlockingHarness"]:
        """Empty the databases of the settings, and connect to them; see `Harness.open`."""
        with entered_in_thread(Harness.open(settings, **options)) as (harness, thread):
            yield cls(harness, thread)

    @property
    def now(self) -> datetime:
        """The current scheduler time."""
        return self.harness.now

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the asynchronous harness: `h.run(h.harness.changes())`."""
        return self._thread.run(call)

    def advance(
        self, to: timedelta | datetime | None = None, /, **duration: Unpack[Duration]
    ) -> int:
        """Move the clock, and run every job that falls due; see `Harness.advance`."""
        return self.run(self.harness.advance(to, **duration))

    def run_due(self) -> int:
        """Run every job that is due now, without moving the clock."""
        return self.run(self.harness.run_due())

    def fail(self, function: FunctionRef, *, error: Error, times: int | None = 1) -> None:
        """Raise `error` in the next calls of a function; see `Harness.fail`."""
        self.harness.fail(function, error=error, times=times)

    def jobs(
        self, function: FunctionRef | None = None, state: JobState | str | None = None
    ) -> list[Job]:
        """Read the jobs, oldest first; see `Harness.jobs`."""
        return self.run(self.harness.jobs(function, state))
