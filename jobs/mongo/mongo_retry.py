"""Retries MongoDB reads with exponential backoff."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pymongo.errors import OperationFailure, PyMongoError

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.logs import get_log

T = TypeVar("T")

log = get_log(__name__)

MIN_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 5.0
JITTER: Final = (0.5, 1.0)

# CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost, BSONObjectTooLarge
HISTORY_LOST_CODES: Final = frozenset({136, 280, 286, 10334})
TRANSIENT_ERRORS: Final = (PyMongoError, TimeoutError)


class MongoRetry:
    """The retry state of one caller; each failure doubles the delay."""

    def __init__(self, *, retries_rejections: bool = True) -> None:
        """Without `retries_rejections`, an error that a healthy MongoDB returns is final."""
        self._retries_rejections = retries_rejections
        self._backoff = Backoff(MIN_PAUSE_S, MAX_PAUSE_S, jitter=JITTER)

    def reset(self) -> None:
        """Reset the backoff after a success."""
        self._backoff.reset()

    async def run(self, act: Callable[[], Awaitable[T]]) -> T:
        """Retry `act` until it succeeds; raises HistoryLost."""
        while True:
            try:
                result = await act()
            except TRANSIENT_ERRORS as error:
                await self.wait(error)
            else:
                self.reset()
                return result

    async def wait(self, error: Exception) -> None:
        """Wait before the next attempt; raises HistoryLost if a retry cannot succeed."""
        if isinstance(error, OperationFailure) and self._is_final(error):
            raise HistoryLost(
                "cursor is older than the retained history; resubscribe with `snapshot: true`"
            )
        pause_s = self._backoff.next_s()
        log.warning("stream.broken", error=str(error), retry_in_s=pause_s)
        await asyncio.sleep(pause_s)

    def _is_final(self, error: OperationFailure) -> bool:
        can_retry = self._retries_rejections or error.has_error_label("ResumableChangeStreamError")
        return error.code in HISTORY_LOST_CODES or not can_retry
