"""Claims chunks of due jobs and runs each in a task of its own, never more than its slots."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jobs.engine import Engine
from jobs.ids import new_id
from jobs.logs import get_log
from jobs.mongo.client import Document, MongoError
from jobs.mongo.completions import Completions
from jobs.records import FunctionKind
from jobs.worker.attempt import Attempt, keep_ms_of
from jobs.worker.completer import Completer
from jobs.worker.progress import ProgressReport
from jobs.worker.runner import Runner
from jobs.worker.slots import Slots

CHUNK_PATIENCE_S: Final = 3.0  # then the chunk's ids are left for others: they are still pending

log = get_log(__name__)


class Ending(StrEnum):
    """Why a running attempt is cancelled."""

    STOP = "stop"
    """Somebody asked for the job's end."""
    SHUTDOWN = "shutdown"
    """The worker goes."""
    LOST = "lost"
    """The attempt holds the job no more."""


@dataclass(slots=True)
class Running:
    attempt: Attempt
    task: asyncio.Task[None]
    ending: Ending | None = None

    def end(self, why: Ending) -> None:
        """Cancel the coroutine, once."""
        if self.ending is None:
            self.ending = why
            self.task.cancel(why)


class Executor:
    """What runs in this worker."""

    def __init__(self, engine: Engine, worker_id: str, slot_freed: Callable[[], None]) -> None:
        completions = Completions(engine.mongo)
        self._engine = engine
        self._worker_id = worker_id
        self._slot_freed = slot_freed
        self._runner = Runner(engine=engine, completions=completions)
        self._completer = Completer(completions, engine.clock)
        self.slots = Slots(engine.settings.concurrency)
        self.running: dict[str, Running] = {}

    def has_room(self) -> bool:
        return self.slots.free > 0

    async def take_chunk(self, ids: list[str], more: bool) -> bool:
        """Claim and start as many of `ids` as there is room for, waiting for room a while.

        What is not claimed stays pending. Returns whether there is more to dispatch.
        """
        remaining = ids
        try:
            async with asyncio.timeout(CHUNK_PATIENCE_S):
                while remaining:
                    room = await self.slots.take(len(remaining))
                    part, remaining = remaining[:room], remaining[room:]
                    await self._claim(part)
        except TimeoutError:
            return True
        return more

    async def close(self, patience_s: float) -> None:
        """Let running jobs finish, up to `patience_s` seconds; then give the rest back."""
        tasks = [running.task for running in self.running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=patience_s)
        await self.end_all(Ending.SHUTDOWN)
        await self._completer.close()

    async def end_all(self, why: Ending) -> None:
        """Cancel what runs and wait until it has stopped."""
        ended = list(self.running.values())
        for running in ended:
            running.end(why)
        await asyncio.gather(*(running.task for running in ended), return_exceptions=True)

    async def _claim(self, ids: list[str]) -> None:
        """Claim `ids`, for which slots are taken; give back the slots of those not won."""
        token = new_id()
        claimed: list[Document] = []
        try:
            offset_ms = await self._engine.clock.offset_ms()
            claimed = await self._engine.store.claim(ids, self._worker_id, token, offset_ms)
        except MongoError as error:
            # What was claimed without our knowing is found by the watch, and given back.
            log.warning("claim.unanswered", jobs=len(ids), error=str(error))
        finally:
            self.slots.give_back(len(ids) - len(claimed))
        for document in claimed:
            self._start(document)

    def _start(self, document: Document) -> None:
        function = self._engine.registry.get(document["functionName"])
        keep_ms = keep_ms_of(function, self._engine.settings.purge_after_ms)
        attempt = Attempt.of(document, keep_ms)
        task = asyncio.create_task(self._run(attempt), name=f"job-{attempt.job_id}")
        running = Running(attempt, task)
        self.running[attempt.job_id] = running
        task.add_done_callback(lambda _: self._finished(running))

    def _finished(self, running: Running) -> None:
        if self.running.get(running.attempt.job_id) is running:
            del self.running[running.attempt.job_id]
        self.slots.give_back()
        self._slot_freed()

    async def _run(self, attempt: Attempt) -> None:
        progress = ProgressReport(self._engine.store, attempt.job_id, attempt.number)
        try:
            outcome = await self._runner.run(attempt, progress)
        except asyncio.CancelledError:
            await self._ended_early(attempt)
            return
        if outcome is not None:
            await self._completer.complete(replace(outcome, progress=progress.unwritten))

    async def _ended_early(self, attempt: Attempt) -> None:
        running = self.running[attempt.job_id]
        function = self._engine.registry.get(attempt.function_name)
        if running.ending is Ending.STOP:
            await self._completer.complete(attempt.stopped())
        elif running.ending is Ending.SHUTDOWN:
            kind = function.kind if function else FunctionKind.ACTION
            await self._completer.complete(attempt.handed_back(kind))
