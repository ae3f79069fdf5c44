"""The API processes notice that no worker runs, and one of them takes over from another."""

import time

import httpx

from ostinato.jobs.settings import Settings
from tests.engine.rig import Document, Rig, start_workers
from tests.processes import TLS, ApiProcess, Processes, eventually

GUARD_S = 60.0  # for a busy machine: an idle one notices after 6 to 8 s
ALERTS = "{ alerts(filter: {states: [OPEN]}) { nodes { kind message } } }"


async def open_alerts(rig: Rig) -> list[Document]:
    return await rig.all("alerts", state="open", kind="noWorker")


async def shown_alerts(api: ApiProcess) -> list[str]:
    headers = {"authorization": f"Bearer {api.token('root', 'admin')}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, verify=TLS) as client:
        response = await client.post(api.graphql_url, json={"query": ALERTS})
    return [node["kind"] for node in response.json()["data"]["alerts"]["nodes"]]


async def test_an_alert_opens_after_all_workers_and_an_api_process_were_killed(
    rig_without_worker: Rig, fast_settings: Settings, processes: Processes
) -> None:
    rig = rig_without_worker
    watching = {"watchdog_ms": 1_000, "lease_ms": 6_000, "functions": fast_settings.functions}
    first = await processes.api(**watching)
    await eventually(lambda: rig.all("leaders", _id="watchdog"))
    second = await processes.api(**watching)
    workers = await start_workers(rig, processes, 2, lease_ms=6_000)
    for process in (*[worker.popen for worker in workers], first.child.popen):
        process.kill()
    killed_at = time.monotonic()
    await eventually(lambda: open_alerts(rig), within=GUARD_S)
    print(f"noticed after {time.monotonic() - killed_at:.1f} s")
    assert await shown_alerts(second) == ["NO_WORKER"]
    await start_workers(rig, processes, 1, lease_ms=6_000)
    await eventually(lambda: rig.all("alerts", state="resolved"), within=GUARD_S)
