"""MongoDB away for longer than every lease: nothing is lost, nobody is declared lost."""

import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from jobs.settings import Settings
from tests.engine.functions import gate
from tests.engine.proxy import Proxy, proxied
from tests.engine.rig import Rig, working

OUTAGE_S = 4.0  # longer than lease and grace of the hasty settings together


@pytest.fixture
async def proxy(hasty: Settings) -> AsyncIterator[Proxy]:
    """Run a worker that sees MongoDB through a proxy."""
    port = urlsplit(hasty.mongo_url).port
    assert port is not None
    async with proxied(port) as (proxy, own_port):
        url = f"mongodb://127.0.0.1:{own_port}/?directConnection=true"
        async with working(hasty.model_copy(update={"mongo_url": url})):
            yield proxy
            proxy.heal()


async def outage_over(rig: Rig, proxy: Proxy) -> None:
    end = time.monotonic() + OUTAGE_S
    await rig.until(lambda: time.monotonic() > end)
    proxy.heal()


@pytest.mark.parametrize("way", ["cut", "stall"])
async def test_an_outage_loses_no_job_and_no_worker(idle: Rig, proxy: Proxy, way: str) -> None:
    running = [await idle.schedule(name) for name in ("hold", "hold_in_mutation")]
    await idle.until(lambda: gate.visits == 2)
    getattr(proxy, way)()
    pending = [await idle.schedule("echo") for _ in range(20)]
    gate.opened.set()
    await outage_over(idle, proxy)
    jobs = [await idle.ended(job_id, within=20) for job_id in [*running, *pending]]
    assert [job["state"] for job in jobs] == ["success"] * 22, jobs[1]
    assert jobs[0]["attempt"] == 1
    errors = [
        event["error"]["name"] for job in jobs for event in job["timeline"] if "error" in event
    ]
    assert "WorkerLost" not in errors
    assert len(await idle.all("effects")) == 1


async def test_a_mutation_kept_from_its_end_by_a_rival_runs_again(rig: Rig) -> None:
    counters, where = rig.engine.mongo["counters"], {"_id": "one"}
    await counters.insert_one({**where, "value": 0})
    async with await rig.engine.mongo.client.start_session() as session:
        session.start_transaction()
        await counters.update_one(where, {"$set": {"value": 10}}, session=session)
        job_id = await rig.schedule("meet_a_rival")
        await rig.attempted(job_id, 1)
        await session.commit_transaction()
    await rig.engine.advance(1_000)
    job = await rig.ended(job_id)
    assert (job["state"], job["result"], job["attempt"]) == ("success", 11, 2)
    assert job["timeline"][2]["error"]["name"] == "Contended"
