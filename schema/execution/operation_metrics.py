"""Counters for completed operations by kind and outcome, and for subscription results."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from graphql import OperationType

from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import OstinatoError
from ostinato.schema.errors import INTERNAL, FormattedError
from ostinato.schema.execution.documents import RequestRejected

OK: Final = "ok"
UNKNOWN_KIND: Final = "unknown"
"""The kind of a request that was rejected before its operation was identified."""


class OperationMetrics:
    """The operation counters of a process; the number of series is bounded."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()
        """Completed operations by kind and by the code of their first error, or `ok`."""
        self.results = 0
        """Executed subscription results; equal subscriptions share one."""

    def count(self, kind: OperationType | None, outcome: str = OK) -> None:
        self.ended[kind.value if kind else UNKNOWN_KIND, outcome] += 1

    def count_response(self, kind: OperationType, errors: Sequence[FormattedError]) -> None:
        """Count an operation that returned a response, possibly with errors."""
        self.count(kind, str(errors[0]["extensions"]["code"]) if errors else OK)

    @contextmanager
    def count_rejection(self, kind: OperationType | None) -> Iterator[None]:
        """Count an operation if the block raises RequestRejected."""
        try:
            yield
        except RequestRejected as rejected:
            self.count(kind, error_code(rejected))
            raise

    @contextmanager
    def count_end(self, kind: OperationType) -> Iterator[None]:
        """Count an operation when the block ends; `ok` if the client ended it."""
        outcome = OK
        try:
            yield
        except Exception as error:
            outcome = error_code(error)
            raise
        finally:
            self.count(kind, outcome)


def error_code(error: Exception) -> str:
    """Return the error code that a client receives for an exception."""
    if isinstance(error, RequestRejected):
        return str(error.errors[0]["extensions"]["code"])
    cause = to_client_error(error)
    return cause.code if isinstance(cause, OstinatoError) else INTERNAL
