"""The sweeper's repairs: what seems left behind is looked at, and set going, in a transaction."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final

from jobs.context import Context
from jobs.engine import Engine
from jobs.functions.batch import repair_batch
from jobs.functions.crons import repair_cron
from jobs.functions.requests import repair_request
from jobs.functions.tasks import repair_task
from jobs.mongo.missing_work import MissingWork, Suspect
from jobs.mongo.provision import restore_indexes
from jobs.worker.sweeper import Repair

Find = Callable[[datetime], Awaitable[list[Suspect]]]
Mend = Callable[[Context, str], Awaitable[bool]]

SWEEPS_BETWEEN: Final = 30  # a list of indexes is read of each collection
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
        name: partial(_repair, engine, find, mend) for name, (find, mend) in kinds.items()
    }
    return {
        **repairs,
        "indexes": _now_and_then(partial(restore_indexes, engine.mongo)),
        "unserved": _now_and_then(engine.queues.report_unserved),
    }


def _now_and_then(repair: Repair) -> Repair:
    """Run a repair in the first sweep, and then in one of many."""
    sweeps = count()

    async def look() -> int:
        return await repair() if next(sweeps) % SWEEPS_BETWEEN == 0 else 0

    return look


async def _repair(engine: Engine, find: Find, mend: Mend) -> int:
    mended = 0
    for suspect in await find(await engine.clock.now() - LATE):

        async def body(ctx: Context, document_id: str = suspect.id) -> bool:
            return await mend(ctx, document_id)

        mended += await engine.transact(suspect.owner, body)
    return mended
