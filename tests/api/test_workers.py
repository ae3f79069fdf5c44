"""Workers in the API: the running workers, their load and their jobs."""

import os
import socket

from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker_records import Heartbeat
from ostinato.schema.ids import global_id
from tests.api.conftest import Client
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker
from tests.processes import eventually

WORKERS = """{ workers {
  id host pid version queues slots running runningJobIds loopLagMs startedAt heardAt } }"""
JOB_ID = "0" * 24
HOLDING = "tests.engine.functions"


async def has_load(admin: Client, load: dict[str, object]) -> bool:
    """Return whether the only worker shows this load."""
    workers = await admin.get(WORKERS)
    return [{name: worker[name] for name in load} for worker in workers] == [load]


async def test_an_admin_sees_running_workers(
    admin: Client, api_settings: Settings, engine: Engine
) -> None:
    async with run_worker(api_settings):
        (worker,) = await eventually(lambda: admin.get(WORKERS))
        assert (worker["host"], worker["pid"]) == (socket.gethostname(), os.getpid())
        assert (worker["slots"], worker["queues"]) == (api_settings.concurrency, ["default"])
        assert (worker["running"], worker["runningJobIds"]) == (0, [])
    assert await admin.get(WORKERS) == []


async def test_a_heartbeat_updates_the_load_of_a_worker(admin: Client, engine: Engine) -> None:
    store = WorkerStore(engine.mongo)
    registration = {
        "host": "$h",
        "pid": 7,
        "version": "1",
        "queues": [],
        "concurrency": 3,
        "running": 0,
    }
    await store.register(JOB_ID, registration)
    assert await store.heartbeat(JOB_ID, Heartbeat(running=1, loop_lag_ms=42, job_ids=(JOB_ID,)))
    (worker,) = await admin.get(WORKERS)
    assert worker["heardAt"] >= worker["startedAt"]
    assert (worker["host"], worker["running"], worker["loopLagMs"]) == ("$h", 1, 42)
    assert worker["runningJobIds"] == [global_id("Job", JOB_ID)]


async def test_a_worker_lists_its_running_jobs_until_they_end(
    admin: Client, engine: Engine
) -> None:
    gate.reset()
    holding = engine.settings.model_copy(update={"functions": (HOLDING,), "heartbeat_ms": 100})
    async with Engine.open(holding) as other, run_worker(holding):
        rig = Rig(other)
        job_id = await rig.schedule("hold")
        busy = {"running": 1, "runningJobIds": [global_id("Job", job_id)]}
        await eventually(lambda: has_load(admin, busy))
        gate.opened.set()
        await rig.wait_until_ended(job_id)
        await eventually(lambda: has_load(admin, {"running": 0, "runningJobIds": []}))


async def test_only_admins_can_list_workers(ann: Client) -> None:
    assert (await ann(WORKERS)).code == "FORBIDDEN"
