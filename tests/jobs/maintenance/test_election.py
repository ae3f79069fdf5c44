"""A leader that cannot dispatch steps down for another worker, and continues if there is none."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from structlog.testing import capture_logs

from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.maintenance.election import ROLE, Candidate, CannotLead, LeaderElection
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from tests.engine.proxy import proxied
from tests.engine.rig import Rig, run_worker
from tests.processes import eventually

LEASE_MS = 300


async def leader_of(rig: Rig) -> str | None:
    found = await rig.all("leaders")
    return found[0]["worker"] if found else None


async def test_leader_without_redis_steps_down_for_a_connected_worker(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    without_redis = fast_settings.model_copy(
        update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"}
    )
    with capture_logs() as logs:
        async with run_worker(without_redis):
            first = await eventually(lambda: leader_of(rig_without_worker))
            async with run_worker(fast_settings):
                assert (await rig_without_worker.run("echo"))["state"] == "success"
                assert await leader_of(rig_without_worker) not in (None, first)
    stepped_down = [line for line in logs if line["event"] == "leader.stepped_down"]
    assert {line["worker_id"] for line in stepped_down} == {first}
    assert stepped_down[0]["fix"] == "start the server or correct OSTINATO_REDIS_URL"


async def test_jobs_run_after_redis_recovers_for_the_only_worker(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    async with proxied(fast_settings.redis_url) as proxy:
        proxy.cut()
        with capture_logs() as logs:
            async with run_worker(fast_settings.model_copy(update={"redis_url": proxy.url})):
                job_id = await rig_without_worker.schedule("echo")
                await eventually(lambda: "leader.stepped_down" in [line["event"] for line in logs])
                proxy.heal()
                assert (await rig_without_worker.wait_until_ended(job_id))["state"] == "success"


async def never() -> bool:
    return False


async def fail() -> None:
    raise CannotLead("Redis is unreachable", "start it")


@asynccontextmanager
async def run_candidate(
    rig: Rig, duty: Callable[[], Awaitable[None]], can_lead: Callable[[], Awaitable[bool]]
) -> AsyncIterator[None]:
    """Run a candidate with this duty and this check for leadership."""
    store = WorkerStore(rig.engine.mongo)
    leadership = LeaderElection(store, Candidate(id="w1", lease_ms=LEASE_MS), (duty,), can_lead)
    running = asyncio.create_task(leadership.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_sole_candidate_campaigns_again_after_at_least_two_leases(
    rig_without_worker: Rig,
) -> None:
    led_at: list[float] = []

    async def lead() -> None:
        led_at.append(time.monotonic())
        await fail()

    async with run_candidate(rig_without_worker, lead, never):
        await eventually(lambda: len(led_at) == 4)
    pauses = [after - before for before, after in pairwise(led_at)]
    leases = [1_000 * pause // LEASE_MS for pause in pauses]
    assert (leases[0] >= 2, leases[1] >= 3, leases[2] >= 4) == (True, True, True)


async def test_leader_that_steps_down_releases_its_lease(rig_without_worker: Rig) -> None:
    store = WorkerStore(rig_without_worker.engine.mongo)
    async with run_candidate(rig_without_worker, fail, never):
        await eventually(lambda: store.acquire_leadership(ROLE, "w2", 60_000))
        assert not await store.acquire_leadership(ROLE, "w1", LEASE_MS)
