"""A claim takes as many jobs as there are free slots, and at most 8 MiB of arguments."""

from collections import Counter

import pytest

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.executor import CLAIM_BATCH_SIZE
from tests.engine.functions import gate
from tests.engine.rig import Rig, working

MIB = 1024 * 1024


async def test_claim_takes_at_most_8_mib_of_arguments(hasty: Settings, idle: Rig) -> None:
    assert CLAIM_BATCH_SIZE * MAX_ARGS_BYTES <= 8 * MIB
    plan = await idle.plan("hold")
    documents = [
        build_job_document(plan, plan.scheduled_time, 9) for _ in range(CLAIM_BATCH_SIZE + 50)
    ]
    await idle.engine.store.insert(documents)
    async with working(hasty.model_copy(update={"concurrency": 1_000})):
        await idle.until(lambda: gate.visits == CLAIM_BATCH_SIZE + 50)
        tokens = Counter(job["lease"]["token"] for job in await idle.jobs_of("hold"))
        gate.opened.set()
    assert max(tokens.values()) <= CLAIM_BATCH_SIZE


async def test_arguments_beyond_the_assumed_maximum_are_rejected(idle: Rig) -> None:
    await idle.plan("echo", {"value": "x" * (MAX_ARGS_BYTES - 50)})
    with pytest.raises(BadRequest, match="must be at most 65,536"):
        await idle.plan("echo", {"value": "x" * MAX_ARGS_BYTES})
