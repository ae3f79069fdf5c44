"""Test rig of the engine: an engine, and optionally workers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ostinato.jobs.arq_queue.chunk_queue import Chunk
from ostinato.jobs.declarations import to_camel_case
from ostinato.jobs.embedded.process import Child
from ostinato.jobs.engine import Engine
from ostinato.jobs.lanes import Lane, owner_tag
from ostinato.jobs.lifecycle import FINAL_STATES
from ostinato.jobs.mongo.claimed_jobs import ClaimedJob
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.stored_json import restore_document
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import Cause, CauseKind, Job
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.main import run_worker_once
from ostinato.jobs.worker.slots import Slot
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.processes import START_S, Processes, eventually

Document = dict[str, Any]
API = Cause(kind=CauseKind.API)
SLOT = Slot(Lane(), owner_tag("alice"))


@dataclass(frozen=True, slots=True)
class Rig:
    """One installation, with its own engine."""

    engine: Engine

    async def build_job(self, name: str, args: Mapping[str, object] | None = None) -> NewJob:
        function = self.engine.registry.resolve(f"functions.{to_camel_case(name)}")
        now = await self.engine.now()
        bound = function.bind(args or {})
        return NewJob(function=function, args=bound, owner="alice", cause=API, scheduled_time=now)

    async def schedule(self, name: str, /, **args: object) -> str:
        """Schedule a test function for now and return the job's id."""
        return (await self.engine.schedule(await self.build_job(name, args))).id

    async def schedule_at(self, new_job: NewJob, when: datetime) -> str:
        return (await self.engine.schedule(replace(new_job, scheduled_time=when))).id

    async def run(self, name: str, /, **args: object) -> Document:
        """Schedule a function and return its job once it has ended."""
        return await self.wait_until_ended(await self.schedule(name, **args))

    async def job(self, job_id: str) -> Document:
        found = await self.engine.mongo["jobs"].find_one({"_id": job_id})
        assert found is not None
        return restore_document(found)

    async def wait_for_state(self, job_id: str, *states: str, within: float = 30) -> Document:
        """Return the job once it is in one of the states."""

        async def job_in_state() -> Document | None:
            found = await self.job(job_id)
            return found if found["state"] in states else None

        found = await eventually(job_in_state, within)
        assert found is not None
        return found

    async def wait_until_ended(self, job_id: str, within: float = 30) -> Document:
        return await self.wait_for_state(job_id, *FINAL_STATES, within=within)

    async def wait_for_retry(self, job_id: str, attempt: int) -> Document:
        """Return the job once this attempt has ended and the next one is pending."""

        async def job_before_retry() -> Document | None:
            found = await self.job(job_id)
            is_pending = (found["attempt"], found["state"]) == (attempt, "pending")
            return found if is_pending else None

        found = await eventually(job_before_retry)
        assert found is not None
        return found

    async def wait_until(self, check: Callable[[], object], within: float = 30) -> None:
        """Wait until the check returns, or resolves to, a true value."""
        await eventually(check, within)

    async def has_jobs(self, name: str, state: str, at_least: int = 1) -> bool:
        return len(await self.find_jobs(name, state=state)) >= at_least

    async def cancel(self, job_id: str) -> Job:
        return await self.engine.cancel(job_id)

    async def claim(self, job_id: str, worker: str = "w") -> list[ClaimedJob]:
        return await self.claim_all([job_id], worker)

    async def claim_all(self, ids: Sequence[str], worker: str = "w") -> list[ClaimedJob]:
        claimed = await self.engine.store.claim(ids, worker, f"token-{worker}", 0)
        return [job for job in claimed if isinstance(job, ClaimedJob)]

    async def complete(self, outcome: Outcome) -> set[str]:
        return await OutcomeStore(self.engine.mongo).write([outcome], 0)

    async def all(self, collection: str, **fields: object) -> list[Document]:
        found = self.engine.mongo[collection].find(fields, sort=[("_id", 1)])
        return await found.to_list(None)

    async def find_jobs(self, name: str, **fields: object) -> list[Document]:
        return await self.all("jobs", functionName=f"functions.{to_camel_case(name)}", **fields)


class AllFree:
    """An executor with free slots for every chunk."""

    def has_free_slot(self, lane: Lane | None) -> bool:
        return True

    def free_starts_of(self, owner_tag: str) -> int:
        return 1


@asynccontextmanager
async def run_worker(settings: Settings) -> AsyncIterator[None]:
    """Run a worker in this process; drain it on exit."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker_once(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[WorkerRuntime]:
    """Run a worker in this process and return its runtime; stop it without a drain."""
    async with WorkerRuntime.open(settings) as worker:
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def chunk_of(*ids: str) -> Chunk:
    """Return a chunk with jobs of alice."""
    return Chunk(ids=ids, owner_tags=(owner_tag("alice"),) * len(ids))


def state_changes(job: Document) -> list[tuple[str | None, str]]:
    """Return the transitions of a job as pairs of states."""
    return [(event["from"], event["state"]) for event in job["timeline"]]


async def start_workers(
    rig: Rig,
    processes: Processes,
    number: int = 1,
    options: tuple[str, ...] = (),
    **changes: Any,
) -> list[Child]:
    """Start workers with the settings of `fast_settings`; return them once they have registered."""
    settings = rig.engine.settings
    defaults = {name: getattr(settings, name) for name in ("functions", "heartbeat_ms", "lease_ms")}
    before = len(await rig.all("workers"))
    overrides = {**defaults, "sweep_ms": 200, "drain_timeout_ms": 300, **changes}
    workers = [processes.worker(*options, **overrides) for _ in range(number)]

    async def registered() -> bool:
        return len(await rig.all("workers")) >= before + number

    await rig.wait_until(registered, within=START_S)
    return workers
