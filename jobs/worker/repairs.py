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
from ostinato.jobs.mongo.client import is_transient, summarize
from ostinato.jobs.mongo.indexes import build_missing_indexes
from ostinato.jobs.mongo.multikey import MultikeyIndexes
from ostinato.jobs.mongo.orphans import Orphan, OrphanFinder
from ostinato.jobs.worker.sweeper import Sweep

Find = Callable[[datetime], Awaitable[list[Orphan]]]
RepairOne = Callable[[Context, str], Awaitable[bool]]

log = get_log(__name__)

SWEEPS_BETWEEN: Final = 30  # the indexes of every collection are looked at
MIN_PAUSE_S: Final = 10.0
MAX_PAUSE_S: Final = 600.0  # a document that was repaired by hand is looked at by then
MAX_BROKEN: Final = 10_000  # of one kind; of more, each is looked at by turns
LATE: Final = timedelta(seconds=5)  # what is later than this is not merely waiting for its turn


def build_sweeps(engine: Engine) -> dict[str, Sweep]:
    """Build the repairs of missing ticks, loops, pages and timeouts."""
    missing = OrphanFinder(engine.mongo)
    kinds: dict[str, tuple[Find, RepairOne]] = {
        "crons": (missing.crons, repair_cron),
        "recurring_tasks": (missing.recurring_tasks, repair_task),
        "batches": (missing.batches, repair_batch),
        "requests": (missing.requests, repair_request),
    }
    sweeps: dict[str, Sweep] = {
        name: _OrphanRepairs(engine, name, find, repair).sweep
        for name, (find, repair) in kinds.items()
    }
    return {
        **sweeps,
        "indexes": _throttled(partial(build_missing_indexes, engine.mongo)),
        "multikey_indexes": _throttled(MultikeyIndexes(engine.mongo).rebuild),
        "unserved": _throttled(engine.queues.report_unserved),
    }


def _throttled(repair: Sweep) -> Sweep:
    """Run a repair in the first sweep, and then in one of many."""
    sweeps = count()

    async def sweep() -> int:
        return await repair() if next(sweeps) % SWEEPS_BETWEEN == 0 else 0

    return sweep


class _OrphanRepairs:
    """Repairs what is missing of one kind. What cannot be repaired is logged, left alone for a
    while that grows, and keeps nothing else waiting."""

    def __init__(self, engine: Engine, name: str, find: Find, repair: RepairOne) -> None:
        self._engine = engine
        self._name = name
        self._find = find
        self._repair_one = repair
        self._broken: dict[str, _Pause] = {}

    async def sweep(self) -> int:
        """Look once; returns how many were repaired."""
        repaired = 0
        for suspect in await self._find(await self._engine.clock.now() - LATE):
            pause = self._broken.get(suspect.id)
            if pause is None or time.monotonic() >= pause.until:
                repaired += await self._repair(suspect)
        return repaired

    async def _repair(self, suspect: Orphan) -> bool:
        async def body(ctx: Context) -> bool:
            return await self._repair_one(ctx, suspect.id)

        try:
            repaired = await self._engine.transact(suspect.owner, body)
        except Exception as error:  # a duty of the sweeper: the others go on
            if is_transient(error):  # an outage, and no fault of this one
                raise
            self._leave_alone(suspect.id, error)
            return False
        self._broken.pop(suspect.id, None)
        return repaired

    def _leave_alone(self, document_id: str, error: Exception) -> None:
        before = self._broken.pop(document_id, None)
        pause_s = MIN_PAUSE_S if before is None else min(2 * before.length_s, MAX_PAUSE_S)
        while len(self._broken) >= MAX_BROKEN:
            del self._broken[next(iter(self._broken))]
        self._broken[document_id] = _Pause(pause_s, time.monotonic() + pause_s)
        log.error(
            "sweep.not_repaired",
            repair=self._name,
            document_id=document_id,
            retry_in_s=pause_s,
            error=f"{type(error).__name__}: {summarize(error)}",
        )


class _Pause(NamedTuple):
    length_s: float
    until: float
    """Of `time.monotonic()`."""
