"""Consumes chunks from Redis: an arq worker that wakes on signals and reconnects."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import deserialize_job_raw
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
)
from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled, run_cleanup
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.ids import is_id
from ostinato.jobs.lanes import Lane
from ostinato.jobs.logs import RepeatedWarning, get_log

MAX_CONCURRENT_CHUNKS: Final = 8  # chunks need not wait for earlier claims
CHUNK_TIMEOUT_S: Final = 5.0  # a limit on hung chunks, above the time a claim may take
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
        async def run_chunk(
            ctx: Mapping[str, str], ids: object, notify: object, owner_tags: object = None
        ) -> None:
            name = ctx["job_id"].encode()
            chunk = _decode(name, ids, notify, owner_tags)
            if chunk is None:
                log.warning("chunk.malformed", chunk=ctx["job_id"])
            elif await self._take_chunk(chunk, partial(worker.chosen.slots_acquired, name)):
                worker.to_notify.add(ctx["job_id"])

        def chunk_done(name: str) -> None:
            worker.chosen.remove(name.encode())
            self._wake.set()  # capacity for the next chunk
            if name in worker.to_notify:
                worker.to_notify.discard(name)
                self._request_dispatch()

        redis = self._connect()
        worker = _ArqWorker(
            functions=[func(run_chunk, name=RUN_CHUNK)],
            redis_pool=redis,
            queue_name=redis.default_queue_name,
            handle_signals=False,
            max_jobs=MAX_CONCURRENT_CHUNKS,
            queue_read_limit=READ_BATCH_SIZE,
        )
        worker.finishing, worker.chosen, worker.to_notify = set(), _ChosenChunks(), set()
        worker.absent = frozenset()
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
    """Reads arq's queue, without the keys in which arq stores that a job is running, its tries and
    its result: the worker that deletes the content of a chunk has taken it.
    """

    wake: asyncio.Event
    chosen: _ChosenChunks
    to_notify: set[str]
    absent: frozenset[bytes]
    """Names of the queue without content: another worker has taken them."""
    free_slots: FreeSlots
    chunk_done: Callable[[str], None]
    finishing: set["asyncio.Task[Any]"]

    async def main(self) -> None:
        while True:
            self.wake.clear()
            self.allow_pick_jobs = self.free_slots.has_free_slot(None)
            await self._poll_iteration()
            await wait_for_event(self.wake, POLL_INTERVAL_S)

    async def heart_beat(self) -> None:
        """Do nothing: nobody reads arq's health check, and it has no crons."""

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        malformed = [name for name in job_ids if not name.isascii()]
        if malformed:
            log.warning("queue.malformed_names", names=len(malformed))
            await self.pool.zrem(self.queue_name, *malformed)
        self.absent = self.absent.intersection(job_ids)
        names = (name for name in job_ids if name.isascii() and name not in self.absent)
        chosen = self._choose(names, self.max_jobs - self.job_counter)
        if not chosen:
            return
        for name, content in zip(chosen, await self._take(chosen), strict=True):
            if content is None:
                self.chosen.remove(name)
                self.absent |= {name}
            else:
                self._start(name.decode(), content)

    async def _take(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Read and delete the contents of chunks; None for those that have none."""
        async with self.pool.pipeline(transaction=False) as commands:
            for name in names:
                commands.getdel(f"{job_key_prefix}{name.decode()}")
            contents: list[bytes | None] = await commands.execute()
        return contents

    def _start(self, name: str, content: bytes) -> None:
        self.job_counter += 1
        self.tasks[name] = task = self.loop.create_task(self._run(name, content))
        task.add_done_callback(self._ended)

    def _ended(self, _: "asyncio.Task[None]") -> None:
        self.job_counter -= 1

    def _choose(self, names: Iterable[bytes], maximum: int) -> list[bytes]:
        """Return up to `maximum` chunks whose lane has a free slot and whose owner, if all jobs
        have the same one, may start a job.

        At most one per limited function, and of an owner no more than may start.
        """
        chosen: list[bytes] = []
        limited = {
            lane_of(name) for name in self.chosen.without_slots() if self._free_starts(name) > 0
        }
        for name in names:
            if len(chosen) >= maximum:
                break
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

    async def _run(self, name: str, content: bytes) -> None:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                await self._call(name, content)
        except TimeoutError:
            log.warning("chunk.timed_out", chunk=name)
        except Exception as error:  # malformed content from another program
            log.warning("chunk.malformed", chunk=name, error=str(error))
        finally:
            try:
                await asyncio.shield(self._track_finishing(self._finish(name)))
            finally:
                # Only now has the chunk been deleted from Redis.
                self.chunk_done(name)

    async def _call(self, name: str, content: bytes) -> None:
        function, args, kwargs, *_ = deserialize_job_raw(content, deserializer=deserialize)
        await self.functions[function].coroutine({"job_id": name}, *args, **kwargs)

    async def _finish(self, name: str) -> None:
        await self.pool.zrem(self.queue_name, name)

    async def _track_finishing(self, finishing: Awaitable[None]) -> None:
        # It is shielded from cancellation, so closing the pool must wait for it.
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.finishing.add(task)
        try:
            await finishing
        finally:
            self.finishing.discard(task)


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


async def _close(worker: _ArqWorker) -> None:
    for task in worker.tasks.values():
        task.cancel()
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    await asyncio.gather(*worker.finishing, return_exceptions=True)
    await worker.pool.aclose(close_connection_pool=True)
