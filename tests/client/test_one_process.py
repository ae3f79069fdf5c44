"""An application that also runs jobs: `Ostinato(worker=True)`."""

import asyncio
import signal

import httpx
import pytest

from ostinato import JobState, Ostinato, Settings
from tests.client.functions import current_loop
from tests.engine import functions
from tests.live.serving import hosted, mounting
from tests.processes import TLS, eventually

RESULT_S = 60


async def test_jobs_run_in_the_event_loop_of_the_application(client_settings: Settings) -> None:
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    async with Ostinato(client_settings, worker=True) as app:
        job = await app.schedule(current_loop)
        assert await job.result(RESULT_S) == str(id(asyncio.get_running_loop()))
        assert {each: signal.getsignal(each) for each in handlers} == handlers
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "worker"] == []


async def test_closing_returns_running_jobs_at_once(client_settings: Settings) -> None:
    async with Ostinato(client_settings) as observer:
        async with Ostinato(client_settings, worker=True) as app:
            job = await app.schedule(functions.hold_in_mutation)
            await asyncio.wait_for(functions.gate.reached.wait(), 30)
        returned = await observer.get(job.id)
        assert returned.state is JobState.PENDING
        functions.gate.reset()
        async with Ostinato(client_settings, worker=True) as app:
            await asyncio.wait_for(functions.gate.reached.wait(), 30)
            functions.gate.opened.set()
            await app.handle(returned).result(RESULT_S)


async def test_cancellation_of_the_host_closes_the_worker(client_settings: Settings) -> None:
    opened = asyncio.Event()

    async def host() -> None:
        async with Ostinato(client_settings, worker=True):
            opened.set()
            await asyncio.Event().wait()

    hosting = asyncio.create_task(host())
    await asyncio.wait_for(opened.wait(), 30)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:  # what `asyncio.run` does
        if task is hosting or task.get_name() == "worker":
            task.cancel()
    done, _ = await asyncio.wait([hosting], timeout=30)
    assert done == {hosting}
    assert hosting.cancelled()


async def test_worker_that_keeps_failing_is_restarted_and_fails_healthz(
    client_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Settings] = []

    async def fail(settings: Settings, stop: asyncio.Event) -> None:
        starts.append(settings)
        if not stop.is_set():
            raise RuntimeError("the worker is broken")

    monkeypatch.setattr("ostinato.jobs.worker.main.run_worker_until", fail)
    monkeypatch.setattr("ostinato.jobs.async_tools.supervision.UNHEALTHY_AFTER_S", 0)
    app = mounting(Ostinato(client_settings, worker=True))
    async with hosted(app) as port, httpx.AsyncClient(verify=TLS, trust_env=False) as client:
        await eventually(lambda: len(starts) >= 2)
        answer = await client.get(f"http://127.0.0.1:{port}/ostinato/healthz")
    assert answer.json() == {"status": "failed", "tasks": ["worker"]}
