"""Counts operations by their kind and by how they ended, and what subscriptions cost."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from graphql import OperationType

from ostinato.jobs.errors import OstinatoError
from ostinato.resolvers.outages import expected
from ostinato.schema.errors import INTERNAL, FormattedError
from ostinato.schema.transports.documents import RequestRejected

OK: Final = "ok"
UNKNOWN: Final = "unknown"
"""The kind of what was refused before anybody knew what it is."""


class Tally:
    """The operations of a process that have ended; few series, whatever clients send."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()
        """By kind, and by the code of the first error or `ok`."""
        self.results = 0
        """Results of subscriptions executed, each for all who are told the same."""

    def count(self, kind: OperationType | None, outcome: str = OK) -> None:
        self.ended[kind.value if kind else UNKNOWN, outcome] += 1

    def count_answer(self, kind: OperationType, errors: Sequence[FormattedError]) -> None:
        """Count an operation that was answered, if only by errors."""
        self.count(kind, str(errors[0]["extensions"]["code"]) if errors else OK)

    @contextmanager
    def rejection(self, kind: OperationType | None) -> Iterator[None]:
        """Count an operation if it is rejected here."""
        try:
            yield
        except RequestRejected as rejected:
            self.count(kind, outcome_of(rejected))
            raise

    @contextmanager
    def ending(self, kind: OperationType) -> Iterator[None]:
        """Count an operation when it ends here; one that its client leaves is well."""
        outcome = OK
        try:
            yield
        except Exception as error:
            outcome = outcome_of(error)
            raise
        finally:
            self.count(kind, outcome)


def outcome_of(error: Exception) -> str:
    """Return the code that a client is told for an exception."""
    if isinstance(error, RequestRejected):
        return str(error.errors[0]["extensions"]["code"])
    cause = expected(error)
    return cause.code if isinstance(cause, OstinatoError) else INTERNAL
