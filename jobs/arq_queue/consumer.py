"""Consumes chunks from Redis: an arq worker that wakes on signals and reconnects."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from arq.connections import ArqRedis
from arq.worker import Worker, func

from ostinato.jobs.arq_queue.chunk_queue import (
    RUN_CHUNK,
    Chunk,
    SlotsAcquired,
    lane_of,
    owner_tag_of,
    size_of,
)
from ostinato.jobs.arq_queue.connection import (
    REDIS_ERRORS,
    delete_if_wrong_type,
    deserialize,
    fix_for,
    reconnect_backoff,
    serialize,
)
from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled, run_cleanup
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.ids import is_id
from ostinato.jobs.lanes import Lane
from ostinato.jobs.logs import RepeatedWarning, get_log

MAX_CONCURRENT_CHUNKS: Final = 8  # chunks need not wait for earlier claims
ARQ_JOB_TIMEOUT_S: Final = 5  # a limit on hung chunks, above the time a claim may take
POLL_INTERVAL_S: Final = 1.0  # maximum delay of a chunk whose signal was lost
READ_BATCH_SIZE: Final = 1_000  # skipped chunks may precede those this worker can take

TakeChunk = Callable[[Chunk, SlotsAcquired], Awaitable[bool]]
"""Claims a chunk. Returns whether to signal the dispatcher."""


class FreeSlots(Protocol):
    """The part of the executor that chooses which chunks to take."""

    def has_free_slot(self, lane: Lane | None) -> bool:
        """Return whether a slot is free; with a lane, for a job of that lane."""

    def free_starts_of(self, owner_tag: str) -> int:
        """Return how many jobs of an owner may start."""


log = get_log(__name__)


class Consumer:
    """Takes chunks from arq's queue while slots are free."""

    def __init__(
        self,
        connect: Callable[[], ArqRedis],
        take_chunk: TakeChunk,
        slots: FreeSlots,
        request_dispatch: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._take_chunk = take_chunk
        self._slots = slots
        self._request_dispatch = request_dispatch
        self._wake = asyncio.Event()
        logging.getLogger("arq.worker").addFilter(_drop_cancellations)  # idempotent

    def wake(self) -> None:
        """Read the queue now: a chunk was added, or a slot was freed."""
        self._wake.set()

    async def run(self) -> None:
        """Consume until canceled; reconnects with backoff."""
        pause, backoff, lost = 0.0, reconnect_backoff(), RepeatedWarning(log, "queue.lost")
        while True:
            worker = self._worker()
            since = time.monotonic()
            try:
                await worker.main()
            except REDIS_ERRORS as error:
                pause = backoff.next_s(time.monotonic() - since)
                lost.write(error, fix=fix_for(error), retry_in_s=pause)
                await delete_if_wrong_type(worker.pool, worker.queue_name, error)
            finally:
                await run_cleanup(partial(_close, worker))
            reraise_if_cancelled()
            await asyncio.sleep(pause)

    def _worker(self) -> "_ArqWorker":
        to_notify: set[str] = set()

        async def run_chunk(
            ctx: dict[str, Any], ids: object, notify_after_claim: object, owner_tags: object = None
        ) -> None:
            name = ctx["job_id"].encode()
            chunk = _decode(name, ids, notify_after_claim, owner_tags)
            if chunk is None:
                log.warning("chunk.malformed", chunk=ctx["job_id"])
            elif await self._take_chunk(chunk, partial(worker.chosen.slots_acquired, name)):
                to_notify.add(ctx["job_id"])

        def chunk_done(name: str) -> None:
            worker.chosen.remove(name.encode())
            self._wake.set()  # capacity for the next chunk
            if name in to_notify:
                to_notify.discard(name)
                self._request_dispatch()

        redis = self._connect()
        worker = _ArqWorker(
            functions=[func(run_chunk, name=RUN_CHUNK, timeout=ARQ_JOB_TIMEOUT_S, max_tries=1)],
            redis_pool=redis,
            queue_name=redis.default_queue_name,
            handle_signals=False,
            max_jobs=MAX_CONCURRENT_CHUNKS,
            queue_read_limit=READ_BATCH_SIZE,
            job_timeout=ARQ_JOB_TIMEOUT_S,
            keep_result=0,
            max_tries=1,
            retry_jobs=False,
            log_results=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
        )
        worker.finishing, worker.chosen = set(), _ChosenChunks()
        worker.wake, worker.chunk_done = self._wake, chunk_done
        worker.free_slots = self._slots
        return worker


class _ChosenChunks:
    """The chunks that were chosen and are not done, and how many of their jobs have no slot yet."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, int] = {}
        self._jobs_of: Counter[str] = Counter()

    def __contains__(self, name: bytes) -> bool:
        return name in self._jobs

    def add(self, name: bytes) -> None:
        self._jobs[name] = size_of(name)
        self._jobs_of[owner_tag_of(name)] += size_of(name)

    def slots_acquired(self, name: bytes, number: int) -> None:
        number = min(number, self._jobs.get(name, 0))  # the name may be malformed
        if number:
            self._jobs[name] -= number
            self._jobs_of[owner_tag_of(name)] -= number

    def remove(self, name: bytes) -> None:
        self.slots_acquired(name, self._jobs.get(name, 0))
        self._jobs.pop(name, None)
        if not self._jobs_of[owner_tag_of(name)]:
            del self._jobs_of[owner_tag_of(name)]

    def without_slots(self) -> list[bytes]:
        """Return the chunks that have a job without a slot."""
        return [name for name, number in self._jobs.items() if number]

    def jobs_of(self, owner_tag: str) -> int:
        """Return the number of an owner's jobs without a slot."""
        return self._jobs_of[owner_tag]


class _ArqWorker(Worker):
    wake: asyncio.Event
    chosen: _ChosenChunks
    free_slots: FreeSlots
    chunk_done: Callable[[str], None]
    finishing: set["asyncio.Task[Any]"]

    async def main(self) -> None:
        while True:
            self.wake.clear()
            self.allow_pick_jobs = self.free_slots.has_free_slot(None)
            await self._poll_iteration()
            await wait_for_event(self.wake, POLL_INTERVAL_S)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        malformed = [name for name in job_ids if not name.isascii()]
        if malformed:
            log.warning("queue.malformed_names", names=len(malformed))
            await self.pool.zrem(self.queue_name, *malformed)
        chosen = self._choose(name for name in job_ids if name.isascii())
        await super().start_jobs(chosen)
        for name in chosen:
            task = self.tasks.get(name.decode())
            if task is None or task.done():  # another worker took it, or all places are taken
                self.chosen.remove(name)

    def _choose(self, names: Iterable[bytes]) -> list[bytes]:
        """Return the chunks whose lane has a free slot and whose owner, if all jobs have the same
        one, may start a job.

        At most one per limited function, and of an owner no more than may start.
        """
        chosen: list[bytes] = []
        limited = {
            lane_of(name) for name in self.chosen.without_slots() if self._free_starts(name) > 0
        }
        for name in names:
            lane, owner_tag = lane_of(name), owner_tag_of(name)
            if name in self.chosen or (lane.function is not None and lane in limited):
                continue
            may_start = self._free_starts(name) > (
                self.chosen.jobs_of(owner_tag) if owner_tag else 0
            )
            if may_start and self.free_slots.has_free_slot(lane):
                self.chosen.add(name)
                chosen.append(name)
                limited.add(lane)
        return chosen

    def _free_starts(self, name: bytes) -> int:
        owner_tag = owner_tag_of(name)
        return self.free_slots.free_starts_of(owner_tag) if owner_tag else 1

    async def finish_job(self, *args: Any) -> None:
        await self._track_finishing(super().finish_job(*args))

    async def finish_failed_job(self, *args: Any) -> None:
        await self._track_finishing(super().finish_failed_job(*args))

    async def _track_finishing(self, finishing: Awaitable[None]) -> None:
        # arq shields these calls from cancellation, so closing the pool must wait for them.
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.finishing.add(task)
        try:
            await finishing
        finally:
            self.finishing.discard(task)

    async def run_job(self, job_id: str, score: int) -> None:
        try:
            await super().run_job(job_id, score)
        except REDIS_ERRORS:
            raise
        except Exception as error:  # malformed content from another program
            log.warning("chunk.malformed", chunk=job_id, error=str(error))
            await self.pool.zrem(self.queue_name, job_id)
        finally:
            # Only now has the chunk been deleted from Redis.
            self.chunk_done(job_id)


def _decode(
    name: bytes, ids: object, notify_after_claim: object, owner_tags: object
) -> Chunk | None:
    """Decode an arq job; return None if it is malformed: other programs may have written it."""
    if not isinstance(ids, list) or not all(is_id(str(one)) for one in ids):
        return None
    if len(set(ids)) != len(ids):
        return None
    tags = owner_tags if isinstance(owner_tags, list) else [owner_tag_of(name)] * len(ids)
    if len(tags) != len(ids) or not all(isinstance(tag, str) for tag in tags):
        return None
    return Chunk(
        ids=tuple(ids),
        owner_tags=tuple(tags),
        lane=lane_of(name),
        notify_after_claim=notify_after_claim is True,
    )


def _drop_cancellations(record: logging.LogRecord) -> bool:
    """Log filter: reject records about chunks canceled with their connection; no job is lost."""
    is_cancellation = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not is_cancellation


async def _close(worker: _ArqWorker) -> None:
    for task in worker.tasks.values():
        task.cancel()
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    await asyncio.gather(*worker.finishing, return_exceptions=True)
    await worker.pool.aclose(close_connection_pool=True)
