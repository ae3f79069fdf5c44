"""Repeats what failed for MongoDB's sake until it answers, ever more slowly."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pymongo.errors import OperationFailure, PyMongoError

from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.logs import get_log

T = TypeVar("T")

log = get_log(__name__)

FIRST_BACKOFF_S: Final = 0.05
LAST_BACKOFF_S: Final = 5.0

# CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost, BSONObjectTooLarge
LOST_CODES: Final = frozenset({136, 280, 286, 10334})
BREAKS: Final = (PyMongoError, TimeoutError)


class Patience:
    """Remember how long MongoDB has been failing one user of it."""

    def __init__(self, *, accepts_refusal: bool = True) -> None:
        """Without `accepts_refusal`, what a healthy MongoDB refuses counts as lost."""
        self._accepts_refusal = accepts_refusal
        self._backoff_s = FIRST_BACKOFF_S

    def renew(self) -> None:
        """Note that MongoDB answered."""
        self._backoff_s = FIRST_BACKOFF_S

    async def until_answered(self, act: Callable[[], Awaitable[T]]) -> T:
        """Repeat `act` until it returns; raises HistoryLost."""
        while True:
            try:
                answer = await act()
            except BREAKS as error:
                await self.back_off(error)
            else:
                self.renew()
                return answer

    async def back_off(self, error: Exception) -> None:
        """Wait before the next try; raises HistoryLost when there is no sense in one."""
        if isinstance(error, OperationFailure) and self._is_lost(error):
            raise HistoryLost("the history behind this position is gone: ask for a snapshot")
        log.warning("stream.broken", error=str(error), retry_in_s=self._backoff_s)
        await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
        self._backoff_s = min(self._backoff_s * 2, LAST_BACKOFF_S)

    def _is_lost(self, error: OperationFailure) -> bool:
        may_pass = self._accepts_refusal or error.has_error_label("ResumableChangeStreamError")
        return error.code in LOST_CODES or not may_pass
