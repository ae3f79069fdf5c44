"""Detects why a queue's pending jobs do not start: no worker, or a paused queue."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cachetools import LRUCache

from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.mongo.queues import QueueStore
from ostinato.jobs.mongo.workers import WorkerStore

CACHE_TTL_S: Final = 1.0
MAX_LOGGED_QUEUES: Final = 1_000  # clients choose the names of queues
MAX_LINES_PER_MINUTE: Final = 20

log = get_log(__name__)


class WarningCode(StrEnum):
    """Why an accepted request may have no effect."""

    NO_WORKER = "noWorker"
    QUEUE_NOT_SERVED = "queueNotServed"
    QUEUE_PAUSED = "queuePaused"
    NOTHING_TO_PROCESS = "nothingToProcess"
    UNKNOWN_FUNCTION = "unknownFunction"
    UNKNOWN_CALENDAR = "unknownCalendar"
    NEVER_RUNS = "neverRuns"
    ROLE_LOST = "roleLost"
    OWNER_SUSPENDED = "ownerSuspended"
    FAILED_RUNS = "failedRuns"
    MAX_RUNS = "maxRuns"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingWarning:
    """A warning for the scheduling client."""

    code: WarningCode
    message: str
    """The problem and the fix."""


NO_WORKER: Final = SchedulingWarning(
    code=WarningCode.NO_WORKER,
    message="no worker is running: the job stays pending until one starts (`ostinato worker`)",
)


@dataclass(frozen=True, slots=True)
class _QueueStatus:
    """The served and the paused queues, as of the last read."""

    served: frozenset[str]
    paused: frozenset[str]


class QueueWarnings:
    """Reads the state of the queues at most once per CACHE_TTL_S."""

    def __init__(self, workers: WorkerStore, queue_store: QueueStore, lease_ms: int) -> None:
        self._workers = workers
        self._queue_store = queue_store
        self._lease_ms = lease_ms
        self._status = SingleFlight(self._read)
        self._logged: LRUCache[str, WarningCode] = LRUCache(MAX_LOGGED_QUEUES)
        self._throttle = LogThrottle(60.0, max_lines=MAX_LINES_PER_MINUTE)

    async def find(self, queue: str) -> SchedulingWarning | None:
        """Return a warning if a queue's pending jobs do not start; None if they do.

        Also None if the queues cannot be read: a missing warning must not fail a request.
        """
        try:
            return _warning_for(await self._status.get(CACHE_TTL_S), queue)
        except MongoError:
            return None
        except Exception:  # malformed documents; the job is already stored
            log.exception("warnings.failed", queue=queue)
            return None

    async def report(self, queue: str) -> None:
        """Log the warning of a queue, once until the reason changes.

        Logs at most MAX_LINES_PER_MINUTE; a line over the limit is logged at a later call.
        """
        warning = await self.find(queue)
        if warning is None:
            self._logged.pop(queue, None)
        elif self._logged.get(queue) != warning.code and self._throttle.allows(
            (queue, warning.code)
        ):
            self._logged[queue] = warning.code
            if warning.code is WarningCode.QUEUE_PAUSED:  # by an admin
                log.info("queue.paused", queue=queue, reason=warning.message)
            else:
                log.warning("queue.not_served", queue=queue, reason=warning.message)

    async def close(self) -> None:
        await self._status.close()

    async def _read(self) -> _QueueStatus:
        served = await self._workers.find_served_queues(self._lease_ms)
        paused = {name for name, queue in (await self._queue_store.all()).items() if queue.paused}
        return _QueueStatus(served, frozenset(paused))


def _warning_for(status: _QueueStatus, queue: str) -> SchedulingWarning | None:
    if not status.served:
        return NO_WORKER
    if queue not in status.served:
        return SchedulingWarning(
            code=WarningCode.QUEUE_NOT_SERVED,
            message=f"no running worker takes jobs from the queue {queue!r}: the job stays pending "
            "until one does (OSTINATO_QUEUES of a worker names its queues)",
        )
    if queue in status.paused:
        return SchedulingWarning(
            code=WarningCode.QUEUE_PAUSED,
            message=f"the queue {queue!r} is paused: the job stays pending until an admin resumes "
            "it (resumeQueue)",
        )
    return None
