"""Repairs every second what should exist and does not. Each repair is idempotent."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final

from ostinato.jobs.async_tools.supervision import run_all
from ostinato.jobs.context import Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.batch import repair_batch
from ostinato.jobs.functions.crons import repair_cron
from ostinato.jobs.functions.requests import repair_request
from ostinato.jobs.functions.tasks import repair_task
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError, is_transient, summarize
from ostinato.jobs.mongo.indexes import build_missing_indexes
from ostinato.jobs.mongo.multikey import MultikeyIndexes
from ostinato.jobs.mongo.orphans import Orphan, OrphanFinder
from ostinato.jobs.quarantine import Quarantine

Sweep = Callable[[], Awaitable[int]]
"""Checks one kind of document once; returns how many it repaired."""
Find = Callable[[datetime], Awaitable[list[Orphan]]]
RepairOne = Callable[[Context, str], Awaitable[bool]]

INDEX_SWEEP_EVERY: Final = 30  # sweeps: it reads the indexes of every collection
MIN_PAUSE_S: Final = 10.0
MAX_PAUSE_S: Final = 600.0  # how long a document that was repaired by hand may stay unchecked
MAX_BROKEN: Final = 10_000  # of one kind; beyond that, the oldest are tried again
LATE: Final = timedelta(seconds=5)  # later than this, it is not merely waiting for a slot

log = get_log(__name__)


class Sweeper:
    """Runs in the leader only."""

    def __init__(self, sweeps: Mapping[str, Sweep], every_ms: int) -> None:
        self._sweeps = sweeps
        self._every_s = every_ms / 1000
        self.repaired: Counter[str] = Counter()

    async def run(self) -> None:
        """Sweep each kind forever; a slow or failing kind does not delay the others."""
        await run_all(*(partial(self._sweep_forever, name) for name in self._sweeps))

    async def _sweep_forever(self, name: str) -> None:
        while True:
            await self._sweep(name)
            await asyncio.sleep(self._every_s)

    async def _sweep(self, name: str) -> None:
        try:
            repaired = await self._sweeps[name]()
        except MongoError as error:
            log.warning("sweep.failed", repair=name, error=str(error))
        except Exception:  # a duty of the sweeper: the other kinds continue, this one next time
            log.exception("sweep.failed", repair=name)
        else:
            if repaired:
                self.repaired[name] += repaired
                log.warning("sweep.repaired", repair=name, count=repaired)


def build_sweeps(engine: Engine) -> dict[str, Sweep]:
    """Build the sweeps for missing ticks, rounds, pages and timeouts, and for indexes."""
    missing = OrphanFinder(engine.mongo)
    kinds: dict[str, tuple[Find, RepairOne]] = {
        "crons": (missing.crons, repair_cron),
        "recurring_tasks": (missing.recurring_tasks, repair_task),
        "batches": (missing.batches, repair_batch),
        "requests": (missing.requests, repair_request),
    }
    orphan_sweeps: dict[str, Sweep] = {
        name: _OrphanRepairs(engine, name, find, repair).sweep
        for name, (find, repair) in kinds.items()
    }
    return {
        **orphan_sweeps,
        "indexes": _throttled(partial(build_missing_indexes, engine.mongo)),
        "multikey_indexes": _throttled(MultikeyIndexes(engine.mongo).rebuild),
        "unserved": _throttled(engine.queues.report_unserved),
    }


def _throttled(sweep: Sweep) -> Sweep:
    """Run a sweep the first time, then once in every INDEX_SWEEP_EVERY times."""
    times = count()

    async def run() -> int:
        return await sweep() if next(times) % INDEX_SWEEP_EVERY == 0 else 0

    return run


class _OrphanRepairs:
    """Repairs orphaned documents of one kind, each in a transaction of its own.

    A document that cannot be repaired is logged and quarantined; the others are repaired.
    """

    def __init__(self, engine: Engine, name: str, find: Find, repair: RepairOne) -> None:
        self._engine = engine
        self._name = name
        self._find = find
        self._repair_one = repair
        self._broken: Quarantine[str] = Quarantine(MAX_BROKEN, MIN_PAUSE_S, MAX_PAUSE_S)

    async def sweep(self) -> int:
        """Repair what is orphaned now; returns how many documents were repaired."""
        repaired = 0
        for orphan in await self._find(await self._engine.clock.now() - LATE):
            if orphan.id not in self._broken:
                repaired += await self._repair(orphan)
        return repaired

    async def _repair(self, orphan: Orphan) -> bool:
        async def body(ctx: Context) -> bool:
            return await self._repair_one(ctx, orphan.id)

        try:
            repaired = await self._engine.transact(orphan.owner, body)
        except Exception as error:  # a duty of the sweeper: the other documents are repaired
            if is_transient(error):  # an outage, not a fault of this document
                raise
            self._quarantine(orphan.id, error)
            return False
        self._broken.remove(orphan.id)
        return repaired

    def _quarantine(self, document_id: str, error: Exception) -> None:
        log.error(
            "sweep.not_repaired",
            repair=self._name,
            document_id=document_id,
            retry_in_s=self._broken.add(document_id),
            error=f"{type(error).__name__}: {summarize(error)}",
        )
