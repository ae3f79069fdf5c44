"""Stores what running functions log with `ctx.log`, in batches.

A job that logs nothing costs nothing: no task, timer or write exists before the first line.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from logging import getLevelName
from typing import Any, Final

import structlog

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.group_commit import GroupCommit, Interrupted
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import QuotaExceeded
from ostinato.jobs.job_logs import (
    MAX_BYTES,
    MAX_LINES,
    METHOD_LEVELS,
    LogLevel,
    UnstoredLine,
    build_line,
)
from ostinato.jobs.logs import Log, LogThrottle, get_log
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    Document,
    MongoError,
    is_transient,
    summarize,
)
from ostinato.jobs.mongo.job_logs import JobLogStore, StoredSize, batch_document
from ostinato.jobs.records import JobInfo

FLUSH_EVERY_S: Final = 0.5
BATCH_LINES: Final = 100
BATCH_BYTES: Final = 32 * 1024
GROUP_BATCHES: Final = 200  # of all attempts, in one write
GROUP_BYTES: Final = 4 * 1024 * 1024
GIVE_UP_AFTER_S: Final = 10.0  # without MongoDB; lines wait in memory up to a job's limits
WARN_EVERY_S: Final = 60.0

log = get_log(__name__)


class JobLog(structlog.stdlib.BoundLogger):
    """`ctx.log` of a running job: also passes each line on to be kept with the job."""

    def _proxy_to_logger(
        self, method_name: str, event: str | None = None, *event_args: Any, **event_kw: Any
    ) -> Any:
        given = {**self._context, **event_kw}
        for recorder in self._processors:
            recorder(
                self._logger, method_name, {**given, "positional_args": event_args, "event": event}
            )
        return getattr(self._logger, method_name)(event, *event_args, **given)


class AttemptLog:
    """The lines of one attempt that are not stored yet; may be called from any thread."""

    def __init__(self, writer: "JobLogWriter", job: JobInfo) -> None:
        self.job = job
        self.written: deque[StoredSize] | None = None
        """The stored batches of the job, oldest first; None before the first write."""
        self.flush: asyncio.Task[None] | None = None
        self._writer = writer
        self._lines: deque[UnstoredLine] = deque(maxlen=MAX_LINES)
        self._numbers = count(1)

    def bound_to(self, inner: Log) -> Log:
        """Return the logger of the function, which writes to `inner`, too."""
        return JobLog(inner, [self._record], {})

    def finish(self) -> None:
        """Store the lines soon: the attempt has ended."""
        if self._lines:
            self._writer.flush(self)

    def take(self) -> list[UnstoredLine]:
        """Remove and return the next lines for one batch; empty if there are none."""
        taken: list[UnstoredLine] = []
        size_bytes = 0
        while len(taken) < BATCH_LINES and size_bytes < BATCH_BYTES:
            try:
                taken.append(self._lines.popleft())
            except IndexError:
                break
            size_bytes += taken[-1].size_bytes
        return taken

    def _record(self, _logger: object, method: str, given: Mapping[str, Any]) -> Any:
        if self._writer.keeps(method):
            fields = {name: value for name, value in given.items() if name != "event"}
            self._lines.append(build_line(next(self._numbers), method, given["event"], fields))
            self._writer.line_added(self, len(self._lines))


class JobLogWriter:
    """Stores the lines of all attempts of a worker."""

    def __init__(self, engine: Engine) -> None:
        self._store = JobLogStore(engine.mongo)
        self._quotas = engine.quotas
        self._minimum = getLevelName(engine.settings.log_level)
        self._loop = asyncio.get_running_loop()
        self._waiting: set[AttemptLog] = set()
        """Attempts with lines, to be stored at the next tick of the timer."""
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: set[asyncio.Task[None]] = set()
        self._group: GroupCommit[Document, None] = GroupCommit(
            self._insert, GROUP_BATCHES, max_weight=GROUP_BYTES
        )
        self._throttle = LogThrottle(WARN_EVERY_S)

    def keeps(self, method: str) -> bool:
        """Return whether lines of this level are logged, and so kept."""
        level = METHOD_LEVELS.get(method, LogLevel.INFO)
        return bool(getLevelName(level.name) >= self._minimum)

    def line_added(self, attempt: AttemptLog, waiting: int) -> None:
        """Store the lines within FLUSH_EVERY_S, or soon if there are many; from any thread."""
        if waiting == 1:
            self._loop.call_soon_threadsafe(self._wait, attempt)
        elif waiting == BATCH_LINES:
            self._loop.call_soon_threadsafe(self.flush, attempt)

    def flush(self, attempt: AttemptLog) -> None:
        """Start to store the lines of an attempt, unless that is under way."""
        self._waiting.discard(attempt)
        if attempt.flush is None:
            attempt.flush = task = asyncio.create_task(self._flush(attempt), name="job-log")
            self._flushing.add(task)
            task.add_done_callback(lambda done: self._flushed(attempt, done))

    async def wait_until_stored(self) -> None:
        """Store all lines that were logged so far."""
        self._flush_waiting()
        while self._flushing:
            await asyncio.wait(self._flushing)

    def _wait(self, attempt: AttemptLog) -> None:
        self._waiting.add(attempt)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_EVERY_S, self._flush_waiting)

    def _flush_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in list(self._waiting):
            self.flush(attempt)

    def _flushed(self, attempt: AttemptLog, task: "asyncio.Task[None]") -> None:
        self._flushing.discard(task)
        attempt.flush = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job_log.failed", job_id=attempt.job.id, exc_info=error)
        attempt.finish()  # a line may have been added after the last batch

    async def _flush(self, attempt: AttemptLog) -> None:
        while lines := attempt.take():
            try:
                await self._write(attempt, lines)
            except QuotaExceeded as error:
                self._warn(attempt, len(lines), str(error), attempt.job.owner)
            except (MongoError, TimeoutError, Interrupted, *ENCODING_ERRORS) as error:
                self._warn(attempt, len(lines), summarize(error), type(error).__name__)

    async def _write(self, attempt: AttemptLog, lines: Sequence[UnstoredLine]) -> None:
        document = batch_document(attempt.job, lines)
        with self._quotas.reserve(attempt.job.owner) as reservation:
            await reservation.add_bytes(document["bytes"])
            await self._group.submit(document, document["bytes"])
        size = StoredSize(document["_id"], document["count"], document["bytes"])
        if attempt.written is None:
            earlier = (
                await self._store.read_sizes(attempt.job.id) if attempt.job.attempt > 1 else []
            )
            attempt.written = deque(each for each in earlier if each.id != size.id)
        attempt.written.append(size)
        if beyond := _beyond_limits(attempt.written):
            await self._store.delete(beyond)

    async def _insert(self, documents: Sequence[Document]) -> Sequence[None]:
        """Insert batches; retries until MongoDB answers, for GIVE_UP_AFTER_S."""
        backoff = Backoff(0.05, 1.0, jitter=(0.5, 1.5))
        ends_at = self._loop.time() + GIVE_UP_AFTER_S
        while True:
            try:
                await self._store.insert(documents)
                return [None] * len(documents)
            except (MongoError, TimeoutError) as error:
                is_lasting = not (isinstance(error, TimeoutError) or is_transient(error))
                if is_lasting or self._loop.time() > ends_at:
                    raise
            await backoff.wait()

    def _warn(self, attempt: AttemptLog, lines: int, error: str, kind: object) -> None:
        if self._throttle.allows(kind):
            log.warning("job_log.not_stored", job_id=attempt.job.id, lines=lines, error=error)


def _beyond_limits(written: "deque[StoredSize]") -> list[str]:
    """Remove and return the oldest batches beyond the limits of a job."""
    lines = sum(each.lines for each in written)
    size_bytes = sum(each.size_bytes for each in written)
    removed: list[str] = []
    while len(written) > 1 and (lines > MAX_LINES or size_bytes > MAX_BYTES):
        oldest = written.popleft()
        lines -= oldest.lines
        size_bytes -= oldest.size_bytes
        removed.append(oldest.id)
    return removed
