"""Claims chunks of due jobs and runs each in a task of its own, never more than its slots."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import Lane
from ostinato.jobs.lifecycle import Move
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, MongoError
from ostinato.jobs.mongo.completions import TO_PENDING, Completions, Outcome
from ostinato.jobs.mongo.poison import MALFORMED, Held
from ostinato.jobs.queue.doorbell import SOON, Bell
from ostinato.jobs.records import FunctionKind, JobState
from ostinato.jobs.waiting import forget_cancellation
from ostinato.jobs.worker.admission import Admission
from ostinato.jobs.worker.attempt import Attempt, keep_ms_of
from ostinato.jobs.worker.completer import Completer
from ostinato.jobs.worker.pace import Company, Pace
from ostinato.jobs.worker.progress import ProgressReport
from ostinato.jobs.worker.queue_watch import QueueWatch
from ostinato.jobs.worker.runner import Runner
from ostinato.jobs.worker.shared_transactions import SharedTransactions
from ostinato.jobs.worker.slots import Slots, Taken

CLAIM_SIZE: Final = 8 * 1024 * 1024 // MAX_ARGS_BYTES  # so that one brings 8 MiB at most
CHUNK_PATIENCE_S: Final = 3.0  # then the chunk's ids are left for others: they are still pending
LAST_CLAIM_S: Final = 1.0  # what is on its way to MongoDB when the worker is told to go
STOP_S: Final = 2.0  # for a cancelled function to clean up
LAST_WRITES_S: Final = 2.0  # when MongoDB is away, the others find out by the lease
UNACCOUNTED_AT_MOST: Final = 10_000

AttemptKey = tuple[str, int]

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
    lane: Lane
    """The one whose slot it has."""
    ending: Ending | None = None
    has_begun: bool = False
    has_returned: bool = False
    """Whether its slot is another's, and only the write of how it ended is to come."""
    is_written: bool = False
    """Whether how it ended is in the database."""

    @property
    def is_told_to_end(self) -> bool:
        return self.ending is not None

    def end(self, why: Ending) -> None:
        """Cancel the coroutine, once; one that has not begun looks for itself when it does, and
        of one that has returned, the end is being written."""
        if self.ending is None and not self.has_returned:
            self.ending = why
            if self.has_begun:  # a task cancelled before its first step could say nothing
                self.task.cancel(why)


class Executor:
    """What runs in this worker."""

    def __init__(
        self, engine: Engine, worker_id: str, queues: QueueWatch, slot_freed: Callable[[], None]
    ) -> None:
        completions = Completions(engine.mongo, poisoned=engine.store.poisoned)
        self._engine = engine
        self._worker_id = worker_id
        self._queues = queues
        self._slot_freed = slot_freed
        self._admission = Admission(engine)
        self._shared = {
            company: SharedTransactions(engine.mongo, completions)
            for company in (Company.ANY, Company.RIVALS)
        }
        self._runner = Runner(engine=engine, shared=self._shared, pace=Pace())
        self._completer = Completer(completions, engine.clock, self._made_due)
        self.slots = Slots(engine.settings.concurrency, engine.registry)
        self.running: dict[str, Running] = {}
        self._claims: dict[asyncio.Task[None], list[str]] = {}
        self._stray: dict[asyncio.Task[bool], str] = {}
        self._unaccounted: dict[AttemptKey, Outcome] = {}
        self._is_closing = False
        self._loop = asyncio.get_running_loop()

    @property
    def unsettled(self) -> set[str]:
        """Jobs of claims that MongoDB has not answered, which may be ours already, and of strays
        that are being given back."""
        claimed = {job_id for ids in self._claims.values() for job_id in ids}
        return claimed | set(self._stray.values())

    def has_room(self, lane: Lane | None) -> bool:
        """Tell whether a job could begin now, one of that lane if it is given."""
        return self.slots.has_room(lane) and (lane is None or self._is_served(lane))

    async def take_chunk(self, ids: list[str], more: bool, lane: Lane) -> bool:
        """Claim and start as many of `ids` as there is room for, waiting for room a while.

        What is not claimed stays pending. Returns whether there is more to dispatch.
        """
        remaining = ids
        try:
            async with asyncio.timeout(CHUNK_PATIENCE_S):
                while remaining and (
                    room := await self._room(lane, min(len(remaining), CLAIM_SIZE))
                ):
                    part, remaining = remaining[:room], remaining[room:]
                    # A claim that is sent is seen through: its jobs are ours whatever happens.
                    await asyncio.shield(self._claiming(part, lane))
        except TimeoutError:
            return True
        return more or bool(remaining)

    async def close(self, patience_s: float) -> None:
        """Let running jobs finish, up to `patience_s` seconds; then give the rest back. A second
        call does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        await _wait(self._claims, LAST_CLAIM_S)
        await _wait((running.task for running in self.running.values()), patience_s)
        await self.end_all(Ending.SHUTDOWN)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITES_S):
                outcomes = (self._ended_early(one) for one in self._executing())
                last = [self._completer.complete(one) for one in outcomes if one]
                await asyncio.gather(self._completer.close(), *last)
                returned = (one.task for one in self.running.values() if one.has_returned)
                await asyncio.gather(*returned, *self._stray, return_exceptions=True)
                await asyncio.gather(*(shared.close() for shared in self._shared.values()))

    async def end_all(self, why: Ending) -> None:
        """Cancel what runs and give it a while to stop."""
        ended = self._executing()
        for running in ended:
            running.end(why)
        await _wait((running.task for running in ended), STOP_S)
        for running in self._executing():
            log.warning("attempt.deaf", job_id=running.attempt.job_id)

    def give_back(self, key: AttemptKey, keep_ms: int) -> "asyncio.Task[bool]":
        """End an attempt that this worker holds but does not run.

        One that has begun here, and of whose end nothing was written, is never taken for one that
        has not.
        """
        job_id, attempt = key
        never_begun = Outcome(job_id=job_id, attempt=attempt, move=Move.HAND_BACK, keep_ms=keep_ms)
        outcome = self._unaccounted.get(key, never_begun)
        task = asyncio.create_task(self._completer.complete(outcome), name=f"stray-{job_id}")
        self._stray[task] = job_id
        task.add_done_callback(self._stray.pop)
        return task

    def _executing(self) -> list[Running]:
        return [running for running in self.running.values() if not running.has_returned]

    def _made_due(self, written: Sequence[Outcome]) -> None:
        """Have the dispatcher look when jobs that were written are due again soon."""
        if any(map(_is_due_soon, written)):
            self._engine.doorbell.ring(Bell.DUE)

    async def _room(self, lane: Lane, wanted: int) -> int:
        room = await self.slots.take(lane, wanted) if self._is_served(lane) else 0
        if room and not self._is_served(lane):  # its queue was paused meanwhile
            self.slots.give_back(lane, room)
            return 0
        return room

    def _is_served(self, lane: Lane) -> bool:
        is_ours = lane.queue in self._engine.settings.queues
        return is_ours and not self._queues.is_paused(lane.queue)

    def _claiming(self, ids: list[str], lane: Lane) -> asyncio.Task[None]:
        taken = Taken(self.slots, lane, len(ids))
        claim = asyncio.create_task(self._claim(ids, taken), name="claim")
        self._claims[claim] = ids
        claim.add_done_callback(self._claims.pop)
        claim.add_done_callback(lambda _: taken.give_back())  # it may end before its first step
        return claim

    async def _claim(self, ids: list[str], taken: Taken) -> None:
        """Claim `ids`, for which slots are taken; give back the slots of those not won."""
        token = new_id()
        claimed: list[Document] = []
        try:
            offset_ms = await self._engine.clock.offset_ms()
            admitted = await self._admission.admit(ids, taken.lane, offset_ms)
            if admitted:
                store = self._engine.store
                claimed = await store.claim(admitted, self._worker_id, token, offset_ms)
        except MongoError as error:
            # What was claimed without our knowing is found by the watch, and given back.
            log.warning("claim.unanswered", jobs=len(ids), error=str(error))
        finally:
            taken.give_back(len(ids) - len(claimed))
        for document in claimed:
            try:
                await self._begin(document, taken)
            except (MongoError, TimeoutError) as error:  # the watch gives it back
                log.warning("claim.not_begun", job_id=document["_id"], error=str(error))

    async def _begin(self, document: Document, taken: Taken) -> None:
        attempt = self._attempt_of(document)
        if isinstance(attempt, Exception) or self._is_closing:
            taken.give_back(1)
        if isinstance(attempt, Exception):
            held = Held(document["_id"], JobState.IN_PROGRESS)
            offset_ms = await self._engine.clock.offset_ms()
            await self._engine.store.poisoned.fail(held, attempt, offset_ms)
        elif self._is_closing:
            await self._completer.complete(attempt.never_begun())
        else:
            self._start(attempt, taken.hand_over())

    def _attempt_of(self, document: Document) -> Attempt | Exception:
        """Read what was claimed, or return why that is impossible."""
        try:
            function = self._engine.registry.get(document["functionName"])
            keep_ms = keep_ms_of(function, self._engine.settings.purge_after_ms)
            return Attempt.of(document, keep_ms)
        except MALFORMED as error:
            return error

    def _start(self, attempt: Attempt, lane: Lane) -> None:
        task = self._loop.create_task(self._run(attempt), name=f"job-{attempt.job_id}")
        running = Running(attempt, task, lane)
        self.running[attempt.job_id] = running
        task.add_done_callback(lambda _: self._finished(running))

    def _finished(self, running: Running) -> None:
        if self.running.get(running.attempt.job_id) is running:
            del self.running[running.attempt.job_id]
        if running.has_returned:
            self.slots.written()
        else:
            self.slots.give_back(running.lane)
        self._slot_freed()
        if running.has_begun and not running.is_written:
            self._remember(running.attempt)

    def _remember(self, attempt: Attempt) -> None:
        """Note what is to be written of an attempt that has begun if it turns out to be ours
        still, as after a failover that showed an older state."""
        outcome = attempt.unaccounted(self._kind_of(attempt))
        if outcome is not None:
            self._unaccounted[attempt.job_id, attempt.number] = outcome
        while len(self._unaccounted) > UNACCOUNTED_AT_MOST:
            del self._unaccounted[next(iter(self._unaccounted))]

    def _kind_of(self, attempt: Attempt) -> FunctionKind:
        function = self._engine.registry.get(attempt.function_name)
        return function.kind if function else FunctionKind.ACTION

    async def _run(self, attempt: Attempt) -> None:
        running = self.running[attempt.job_id]
        running.has_begun = True
        outcome = await self._outcome_of(running)
        if outcome is None:
            return
        running.has_returned = True
        self.slots.await_write(running.lane)
        self._slot_freed()
        if running.task.cancelling():
            await forget_cancellation()
        await self._write(running, outcome)

    async def _write(self, running: Running, outcome: Outcome) -> None:
        while True:
            try:
                running.is_written = await self._completer.complete(outcome)
                return
            except asyncio.CancelledError:
                if self._is_closing:
                    raise
                # A function may cancel its own task late, or every task that it finds.
                await forget_cancellation()

    async def _outcome_of(self, running: Running) -> Outcome | None:
        attempt = running.attempt
        if running.ending is not None:
            return self._unbegun(attempt, running.ending)
        if await self._engine.store.is_full(attempt.job_id, attempt.version):
            return attempt.beyond_bound()
        progress = ProgressReport(self._engine.store, attempt.job_id, attempt.number)
        try:
            outcome = await self._runner.run(attempt, progress)
        except asyncio.CancelledError as error:
            if running.is_told_to_end:
                return self._ended_early(running)
            outcome = self._runner.canceled_itself(attempt, error)
        if outcome is None or progress.unwritten is None:
            return outcome
        return replace(outcome, progress=progress.unwritten)

    def _unbegun(self, attempt: Attempt, why: Ending) -> Outcome | None:
        match why:
            case Ending.STOP:
                return attempt.stopped()
            case Ending.SHUTDOWN:
                return attempt.never_begun()
            case Ending.LOST:
                return None

    def _ended_early(self, running: Running) -> Outcome | None:
        attempt = running.attempt
        match running.ending:
            case Ending.STOP:
                return attempt.stopped()
            case Ending.SHUTDOWN:
                return attempt.handed_back(self._kind_of(attempt))
            case Ending.LOST | None:
                return None


def _is_due_soon(outcome: Outcome) -> bool:
    if outcome.move not in TO_PENDING:
        return False
    return outcome.due_at is not None or timedelta(milliseconds=outcome.delay_ms) < SOON


async def _wait(tasks: "Iterable[asyncio.Task[Any]]", at_most_s: float) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=at_most_s)
