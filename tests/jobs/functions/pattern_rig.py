"""Installations for the tests of the patterns: an engine, with or without a worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ostinato.jobs.context import Context
from ostinato.jobs.documents import job_from
from ostinato.jobs.engine import Engine
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind, Job, JobState
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.processes import eventually

T = TypeVar("T")

ALICE = "alice"
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class PatternRig:
    """An installation; `alice` is the default owner."""

    engine: Engine

    async def run_mutation(
        self, body: Callable[[Context], Awaitable[T]], owner: str | None = ALICE
    ) -> T:
        """Run a write in one transaction, like a resolver."""
        return await self.engine.transact(owner, body)

    async def schedule(self, name: str, args: Mapping[str, Any], delay_ms: int = 0) -> str:
        async def body(ctx: Context) -> str:
            return await ctx.scheduler.run_after(delay_ms, name, args)

        return await self.run_mutation(body)

    async def schedule_at_once(self, name: str, args: Mapping[str, Any]) -> Job:
        """Insert a job outside a transaction, as `scheduleJob` does."""
        function = self.engine.registry.resolve(name)
        return await self.engine.schedule(
            NewJob(
                function=function,
                args=function.bind(args),
                owner=ALICE,
                cause=Cause(kind=CauseKind.API),
                scheduled_time=await self.engine.now(),
            )
        )

    async def advance(self, ms: int) -> None:
        """Advance due time, and wait until all jobs due by then have ended."""
        await self.engine.advance(ms)
        await self.wait_until_settled()

    async def wait_until_settled(self) -> None:
        await eventually(self._is_settled)

    async def jobs(self, name: str | None = None, **fields: Any) -> list[Job]:
        """Read the jobs of a function in the order of their due times."""
        wanted = {**fields, **({"functionName": name} if name else {})}
        found = self.engine.mongo["jobs"].find(wanted, sort=[("scheduledTime", 1), ("_id", 1)])
        return [job_from(document) for document in await found.to_list(None)]

    async def find_one(self, collection: str, **fields: Any) -> dict[str, Any]:
        found = await self.engine.mongo[collection].find_one(fields)
        assert found is not None
        return found

    async def all(self, collection: str, **fields: Any) -> list[dict[str, Any]]:
        return await self.engine.mongo[collection].find(fields, sort=[("_id", 1)]).to_list(None)

    async def _is_settled(self) -> bool:
        now = await self.engine.now()
        due = {"state": JobState.PENDING.value, "scheduledTime": {"$lte": now}}
        running = {"state": JobState.IN_PROGRESS.value}
        return await self.engine.mongo["jobs"].find_one({"$or": [due, running]}) is None


@asynccontextmanager
async def running_rig(settings: Settings) -> AsyncIterator[PatternRig]:
    async with WorkerRuntime.open(settings) as worker:
        running = asyncio.create_task(worker.run())
        try:
            yield PatternRig(worker.engine)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await worker.drain()


@asynccontextmanager
async def open_rig(settings: Settings) -> AsyncIterator[PatternRig]:
    """Open an installation without a worker."""
    async with Engine.open(settings) as engine:
        yield PatternRig(engine)
