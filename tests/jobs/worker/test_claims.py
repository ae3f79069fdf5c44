"""A claim takes as many jobs as there are free slots, and at most 8 MiB of arguments."""

from collections import Counter

import pytest

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.claims import CLAIM_BATCH_SIZE
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker

MIB = 1024 * 1024


async def test_claim_takes_at_most_8_mib_of_arguments(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    assert CLAIM_BATCH_SIZE * MAX_ARGS_BYTES <= 8 * MIB
    new_job = await rig_without_worker.build_job("hold")
    documents = [
        build_job_document(new_job, new_job.scheduled_time, 9) for _ in range(CLAIM_BATCH_SIZE + 50)
    ]
    await rig_without_worker.engine.store.insert([encode_document(one) for one in documents])
    async with run_worker(fast_settings.model_copy(update={"concurrency": 1_000})):
        await rig_without_worker.wait_until(lambda: gate.visits == CLAIM_BATCH_SIZE + 50)
        tokens = Counter(
            job["lease"]["token"] for job in await rig_without_worker.find_jobs("hold")
        )
        gate.opened.set()
    assert max(tokens.values()) <= CLAIM_BATCH_SIZE


async def test_arguments_beyond_the_assumed_maximum_are_rejected(rig_without_worker: Rig) -> None:
    await rig_without_worker.build_job("echo", {"value": "x" * (MAX_ARGS_BYTES - 50)})
    with pytest.raises(BadRequest, match="must be at most 65,536"):
        await rig_without_worker.build_job("echo", {"value": "x" * MAX_ARGS_BYTES})
