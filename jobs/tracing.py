"""Traces of jobs. Without the extra `otel`, nothing is imported and nothing is recorded."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from ostinato.jobs.mongo.claimed_jobs import ClaimedJob
from ostinato.jobs.outcome import Outcome

RecordErrors = Callable[[int], None]
"""Takes the number of errors of a response."""
RecordOutcome = Callable[[Outcome | None], None]
"""Takes the outcome of an attempt; None if there was nothing left to write."""


class Tracing(Protocol):
    """Records spans, and passes on the position in a trace in W3C's format `traceparent`."""

    def current_traceparent(self) -> str | None:
        """Return the position in the current trace; None outside a trace."""

    def request(self, traceparent: str | None) -> AbstractContextManager[object]:
        """Continue the trace of a request, given its header."""

    def operation(self, kind: str, name: str | None) -> AbstractContextManager[RecordErrors]:
        """Record a GraphQL operation of this kind (`query`, `mutation`, …), if it is a mutation."""

    def attempt(self, job: ClaimedJob) -> AbstractContextManager[RecordOutcome]:
        """Record an attempt of a job, in the trace of what has scheduled the job."""


def _ignore(_: object) -> None:
    """Do nothing."""


class NoTracing:
    """Records nothing. Implements Tracing."""

    def __init__(self) -> None:
        self._span: AbstractContextManager[Callable[[object], None]] = nullcontext(_ignore)

    def current_traceparent(self) -> str | None:
        return None

    def request(self, traceparent: str | None) -> AbstractContextManager[object]:
        return self._span

    def operation(self, kind: str, name: str | None) -> AbstractContextManager[RecordErrors]:
        return self._span

    def attempt(self, job: ClaimedJob) -> AbstractContextManager[RecordOutcome]:
        return self._span


def find_tracing() -> Tracing:
    """Return OpenTelemetry's if it is installed."""
    try:
        from ostinato.jobs.opentelemetry_tracing import OpenTelemetry  # imports the extra
    except ImportError:
        return NoTracing()
    return OpenTelemetry()


tracing: Final = find_tracing()
