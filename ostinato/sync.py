"""The blocking client, for Django, Flask and scripts: the asynchronous client in a thread.

Only what is written with a session runs in the calling thread, which the session belongs to.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar, Unpack, overload

from ostinato.application import Ostinato as AsyncOstinato
from ostinato.client.base_client import OpenOptions
from ostinato.client.handles import JobHandle
from ostinato.client.job_verbs import Call
from ostinato.client.options import Args, ScheduleOptions
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.filters import FailureFilter, JobFilter, JobOrder
from ostinato.jobs.job_logs import LogLine
from ostinato.jobs.paging import ListCount, Page
from ostinato.jobs.records import Job, Json
from ostinato.jobs.registry import FunctionRef
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.job_group import BlockingSession, insert_group_blocking

R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class LoopThread:
    """A thread that runs an event loop, for calls from any other thread."""

    def __init__(self) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="ostinato-client", daemon=True
        )
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread and return its result; cancel it on an interrupt.

        Raises RuntimeError in a thread that runs an event loop, which it would block.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            running = asyncio.run_coroutine_threadsafe(call, self._loop)
        else:
            call.close()
            raise RuntimeError("this thread runs an event loop: use ostinato.Ostinato with `await`")
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and wait for the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BlockingJobHandle(Generic[R_co]):
    """A scheduled job whose function returns `R_co`."""

    def __init__(self, handle: JobHandle[R_co], thread: LoopThread) -> None:
        self._handle = handle
        self._thread = thread

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def job(self) -> Job:
        """The job as it was when the handle was made: see `refresh`."""
        return self._handle.job

    def result(self, timeout: timedelta | float | None = None) -> R_co:
        """Wait for the end of the job and return its result; see `JobHandle.result`."""
        return self._thread.run(self._handle.result(timeout))

    def refresh(self) -> Job:
        """Read the job; raises NotFound."""
        return self._thread.run(self._handle.refresh())

    def cancel(self) -> Job:
        """Cancel the job, or ask it to stop; raises PreconditionFailed if it has ended."""
        return self._thread.run(self._handle.cancel())

    def retry(self) -> Job:
        """Start another set of attempts; raises PreconditionFailed."""
        return self._thread.run(self._handle.retry())


class Ostinato:
    """The blocking client: `with Ostinato.open() as app`. Any number of threads may share one.

    A process that forks opens it after the fork. The verbs are those of `ostinato.Ostinato`; `run`
    calls those that are not here.
    """

    def __init__(self, app: AsyncOstinato, thread: LoopThread) -> None:
        self.app: Final = app
        """The asynchronous client; its coroutines run in the thread of this one: see `run`."""
        self._thread = thread

    @classmethod
    @contextmanager
    def open(
        cls, settings: Settings | None = None, **options: Unpack[OpenOptions]
    ) -> Iterator["Ostinato"]:
        """Connect to MongoDB; close the connections on exit. See `ostinato.Ostinato.open`."""
        with entered_in_thread(AsyncOstinato.open(settings, **options)) as (app, thread):
            yield cls(app, thread)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the asynchronous client: `app.run(app.app.pause_cron(cron_id))`."""
        return self._thread.run(call)

    @overload
    def schedule(
        self,
        function: str,
        args: Args | None = None,
        *,
        session: BlockingSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> BlockingJobHandle[Json]: ...
    @overload
    def schedule(
        self,
        function: Callable[..., Awaitable[R]],
        args: Args | None = None,
        *,
        session: BlockingSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> BlockingJobHandle[R]: ...
    def schedule(
        self,
        function: FunctionRef,
        args: Args | None = None,
        *,
        session: BlockingSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> BlockingJobHandle[Any]:
        """Schedule a job; see `ostinato.Ostinato.schedule`.

        `session` is a session of `pymongo.MongoClient` in a transaction; it is used in this thread.
        """
        if session is None:
            scheduled = self.run(self.app.schedule(function, args, **options))
            return BlockingJobHandle(scheduled, self._thread)
        (handle,) = self.schedule_many([Call(function, args, **options)], session=session)
        return handle

    def schedule_many(
        self, calls: Sequence[Call], *, session: BlockingSession | None = None
    ) -> list[BlockingJobHandle[Any]]:
        """Schedule 1 to 1,000 jobs in one transaction, or in that of `session`: all, or none."""
        if session is None:
            handles = self.run(self.app.schedule_many(calls))
        else:
            group = self.run(self.app.prepare(calls, session))
            jobs = insert_group_blocking(self.app.engine, group, session, self.run)
            handles = self.app.handles(calls, jobs)
        return [BlockingJobHandle(handle, self._thread) for handle in handles]

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Read a job; raises NotFound or Malformed."""
        return self.run(self.app.get(job_id, owner=owner))

    def handle(self, job: Job) -> BlockingJobHandle[Json]:
        """Return a handle of a job that was read, to wait for its result."""
        return BlockingJobHandle(self.app.handle(job), self._thread)

    def jobs(
        self,
        which: JobFilter | None = None,
        *,
        owner: str | None = None,
        order: JobOrder = JobOrder.NEWEST,
        first: int = 100,
        after: Job | None = None,
    ) -> Page[Job]:
        """Read a page of up to 1,000 jobs; see `ostinato.Ostinato.jobs`."""
        return self.run(self.app.jobs(which, owner=owner, order=order, first=first, after=after))

    def count_jobs(self, which: JobFilter | None = None, *, owner: str | None = None) -> ListCount:
        """Count matching jobs, up to 10,000 and for up to a second."""
        return self.run(self.app.count_jobs(which, owner=owner))

    def logs(
        self,
        job_id: str,
        *,
        owner: str | None = None,
        first: int = 1_000,
        after: LogLine | None = None,
    ) -> Page[LogLine]:
        """Read a page of the lines of a job; see `ostinato.Ostinato.logs`."""
        return self.run(self.app.logs(job_id, owner=owner, first=first, after=after))

    def cancel(self, job_id: str, *, owner: str | None = None, cascade: bool = False) -> Job:
        """Cancel a pending job, or ask a running one to stop; raises NotFound."""
        return self.run(self.app.cancel(job_id, owner=owner, cascade=cascade))

    def reschedule(
        self,
        job_id: str,
        *,
        run_at: datetime | None = None,
        run_after: timedelta | None = None,
        expected_version: int | None = None,
        owner: str | None = None,
    ) -> Job:
        """Change when a pending job is due; see `ostinato.Ostinato.reschedule`."""
        return self.run(
            self.app.reschedule(
                job_id,
                run_at=run_at,
                run_after=run_after,
                expected_version=expected_version,
                owner=owner,
            )
        )

    def retry(self, job_id: str, *, args: Args | None = None, owner: str | None = None) -> Job:
        """Start another set of attempts of a failed or canceled job; raises NotFound."""
        return self.run(self.app.retry(job_id, args=args, owner=owner))

    def cancel_jobs(self, which: JobFilter, *, owner: str | None = None) -> BulkAction:
        """Start to cancel the jobs that match; see `ostinato.Ostinato.cancel_jobs`."""
        return self.run(self.app.cancel_jobs(which, owner=owner))

    def retry_jobs(self, which: JobFilter, *, owner: str | None = None) -> BulkAction:
        """Start to retry the jobs that match; see `ostinato.Ostinato.retry_jobs`."""
        return self.run(self.app.retry_jobs(which, owner=owner))

    def resolve_failures(self, which: FailureFilter, *, owner: str | None = None) -> BulkAction:
        """Start to resolve the failures that match."""
        return self.run(self.app.resolve_failures(which, owner=owner))

    def bulk_action(self, bulk_action_id: str, *, owner: str | None = None) -> BulkAction:
        """Read a bulk action; raises NotFound."""
        return self.run(self.app.bulk_action(bulk_action_id, owner=owner))


@contextmanager
def entered_in_thread(opened: AbstractAsyncContextManager[T]) -> Iterator[tuple[T, LoopThread]]:
    """Enter an asynchronous context in a new thread with an event loop; leave both on exit."""
    thread = LoopThread()
    try:
        value = thread.run(_entered(opened.__aenter__))
        try:
            yield value, thread
        finally:
            thread.run(_entered(lambda: opened.__aexit__(None, None, None)))
    finally:
        thread.close()


async def _entered(enter: Callable[[], Awaitable[T]]) -> T:
    return await enter()
