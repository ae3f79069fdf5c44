"""The sweeper's repairs: what seems left behind is looked at, and set going, in a transaction."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final, NamedTuple

from ostinato.jobs.context import Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.batch import repair_batch
from ostinato.jobs.functions.crons import repair_cron
from ostinato.jobs.functions.requests import repair_request
from ostinato.jobs.functions.tasks import repair_task
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import may_pass, summary
from ostinato.jobs.mongo.missing_work import MissingWork, Suspect
from ostinato.jobs.mongo.multikey import MultikeyIndexes
from ostinato.jobs.mongo.provision import restore_indexes
from ostinato.jobs.worker.sweeper import Repair

Find = Callable[[datetime], Awaitable[list[Suspect]]]
Mend = Callable[[Context, str], Awaitable[bool]]

log = get_log(__name__)

SWEEPS_BETWEEN: Final = 30  # the indexes of every collection are looked at
FIRST_PAUSE_S: Final = 10.0
LONGEST_PAUSE_S: Final = 600.0  # a document that was repaired by hand is looked at by then
BROKEN_AT_MOST: Final = 10_000  # of one kind; of more, each is looked at by turns
LATE: Final = timedelta(seconds=5)  # what is later than this is not merely waiting for its turn


def repairs_of(engine: Engine) -> dict[str, Repair]:
    """Build the repairs of missing ticks, loops, pages and timeouts."""
    missing = MissingWork(engine.mongo)
    kinds: dict[str, tuple[Find, Mend]] = {
        "crons": (missing.crons, repair_cron),
        "recurring_tasks": (missing.recurring_tasks, repair_task),
        "batches": (missing.batches, repair_batch),
        "requests": (missing.requests, repair_request),
    }
    repairs: dict[str, Repair] = {
        name: _OneByOne(engine, name, find, mend).look for name, (find, mend) in kinds.items()
    }
    return {
        **repairs,
        "indexes": _throttled(partial(restore_indexes, engine.mongo)),
        "multikey_indexes": _throttled(MultikeyIndexes(engine.mongo).rebuild),
        "unserved": _throttled(engine.queues.report_unserved),
    }


def _throttled(repair: Repair) -> Repair:
    """Run a repair in the first sweep, and then in one of many."""
    sweeps = count()

    async def look() -> int:
        return await repair() if next(sweeps) % SWEEPS_BETWEEN == 0 else 0

    return look


class _OneByOne:
    """Repairs what is missing of one kind. What cannot be repaired is logged, left alone for a
    while that grows, and keeps nothing else waiting."""

    def __init__(self, engine: Engine, name: str, find: Find, mend: Mend) -> None:
        self._engine = engine
        self._name = name
        self._find = find
        self._mend = mend
        self._broken: dict[str, _Pause] = {}

    async def look(self) -> int:
        """Look once; returns how many were repaired."""
        mended = 0
        for suspect in await self._find(await self._engine.clock.now() - LATE):
            pause = self._broken.get(suspect.id)
            if pause is None or time.monotonic() >= pause.until:
                mended += await self._repair(suspect)
        return mended

    async def _repair(self, suspect: Suspect) -> bool:
        async def body(ctx: Context) -> bool:
            return await self._mend(ctx, suspect.id)

        try:
            mended = await self._engine.transact(suspect.owner, body)
        except Exception as error:  # a duty of the sweeper: the others go on
            if may_pass(error):  # an outage, and no fault of this one
                raise
            self._leave_alone(suspect.id, error)
            return False
        self._broken.pop(suspect.id, None)
        return mended

    def _leave_alone(self, document_id: str, error: Exception) -> None:
        before = self._broken.pop(document_id, None)
        pause_s = FIRST_PAUSE_S if before is None else min(2 * before.length_s, LONGEST_PAUSE_S)
        while len(self._broken) >= BROKEN_AT_MOST:
            del self._broken[next(iter(self._broken))]
        self._broken[document_id] = _Pause(pause_s, time.monotonic() + pause_s)
        log.error(
            "sweep.not_mended",
            repair=self._name,
            document_id=document_id,
            retry_in_s=pause_s,
            error=f"{type(error).__name__}: {summary(error)}",
        )


class _Pause(NamedTuple):
    length_s: float
    until: float
    """Of `time.monotonic()`."""
