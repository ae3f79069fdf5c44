"""Periodic repair of orphaned documents and missing indexes. Each repair is idempotent."""

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
from ostinato.jobs.functions.batch_pages import repair_batch
from ostinato.jobs.functions.bulk_actions import repair_bulk_action
from ostinato.jobs.functions.crons import repair_cron
from ostinato.jobs.functions.requests import repair_request
from ostinato.jobs.functions.tasks import repair_task
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError, is_transient, summarize
from ostinato.jobs.mongo.indexes import build_missing_indexes
from ostinato.jobs.mongo.job_logs import JobLogStore
from ostinato.jobs.mongo.multikey import MultikeyIndexes
from ostinato.jobs.mongo.sweeps import Orphan, OrphanFinder, delete_expired
from ostinato.jobs.quarantine import Quarantine

Sweep = Callable[[], Awaitable[int]]
"""One pass over one kind of document; returns the number of repairs."""
Find = Callable[[datetime], Awaitable[list[Orphan]]]
RepairOne = Callable[[Context, str], Awaitable[bool]]

SLOW_SWEEP_EVERY: Final = 30  # sweeps; each run lists the indexes of every collection
FIRST_INDEX_SWEEP: Final = 5
"""The first index sweep of a new leader is its sixth: every process has just checked the
indexes."""
MIN_PAUSE_S: Final = 10.0
MAX_PAUSE_S: Final = 600.0  # maximum delay before a manually repaired document is rechecked
MAX_BROKEN: Final = 10_000  # per kind; beyond this, the oldest entries are evicted and retried
LATE: Final = timedelta(seconds=5)  # before this, an overdue job may only be waiting for a slot

log = get_log(__name__)


class Sweeper:
    """Runs the sweeps; leader only."""

    def __init__(self, sweeps: Mapping[str, Sweep], every_ms: int) -> None:
        self._sweeps = sweeps
        self._every_s = every_ms / 1000
        self.repaired: Counter[str] = Counter()

    async def run(self) -> None:
        """Run all sweeps until canceled; a slow or failing sweep does not delay the others."""
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
        except Exception:  # a failing sweep must not stop the others
            log.exception("sweep.failed", repair=name)
        else:
            if repaired:
                self.repaired[name] += repaired
                log.warning("sweep.repaired", repair=name, count=repaired)


def build_sweeps(engine: Engine) -> dict[str, Sweep]:
    """Build the sweeps for missing tick jobs, pages and timeouts, for what has expired, and for
    indexes."""
    orphans = OrphanFinder(engine.mongo)
    kinds: dict[str, tuple[Find, RepairOne]] = {
        "crons": (orphans.crons, repair_cron),
        "recurring_tasks": (orphans.recurring_tasks, repair_task),
        "batches": (orphans.batches, repair_batch),
        "bulk_actions": (orphans.bulk_actions, repair_bulk_action),
        "requests": (orphans.requests, repair_request),
    }
    orphan_sweeps: dict[str, Sweep] = {
        name: _OrphanRepairs(engine, name, find, repair).sweep
        for name, (find, repair) in kinds.items()
    }
    return {
        **orphan_sweeps,
        "expired": partial(_delete_expired, engine),
        "job_logs": _LogSweep(engine).sweep,
        "indexes": _throttled(partial(build_missing_indexes, engine.mongo), FIRST_INDEX_SWEEP),
        "multikey_indexes": _throttled(MultikeyIndexes(engine.mongo).rebuild, FIRST_INDEX_SWEEP),
        "unserved": _throttled(engine.queues.report_unserved),
    }


async def _delete_expired(engine: Engine) -> int:
    """Delete what ended long enough ago; returns 0, since that repairs nothing."""
    retention = timedelta(milliseconds=engine.settings.purge_ended_after_ms)
    deleted = await delete_expired(engine.mongo, await engine.clock.now() - retention)
    if any(deleted.values()):
        log.info("sweep.expired", **deleted)
    return 0


class _LogSweep:
    """Deletes the logs of jobs that do not exist any more, a part of them in each sweep."""

    def __init__(self, engine: Engine) -> None:
        self._store = JobLogStore(engine.mongo)
        self._position = ""

    async def sweep(self) -> int:
        """Return 0: a log that outlives its job is no fault."""
        deleted, self._position = await self._store.delete_orphans(self._position)
        if deleted:
            log.info("sweep.job_logs", deleted=deleted)
        return 0


def _throttled(sweep: Sweep, first: int = 0) -> Sweep:
    """Return a sweep that runs on every SLOW_SWEEP_EVERY-th call, from call `first` (from 0)."""
    times = count(-first)

    async def run() -> int:
        return await sweep() if next(times) % SLOW_SWEEP_EVERY == 0 else 0

    return run


class _OrphanRepairs:
    """Repairs orphaned documents of one kind, each in its own transaction.

    A document that cannot be repaired is logged and quarantined; the sweep continues.
    """

    def __init__(self, engine: Engine, name: str, find: Find, repair: RepairOne) -> None:
        self._engine = engine
        self._name = name
        self._find = find
        self._repair_one = repair
        self._broken: Quarantine[str] = Quarantine(MAX_BROKEN, MIN_PAUSE_S, MAX_PAUSE_S)

    async def sweep(self) -> int:
        """Repair the current orphans; returns how many were repaired."""
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
        except Exception as error:  # a failing repair must not stop the others
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
