"""The blocking client, for Django, Flask and scripts: the asynchronous client in a thread.

Only what is written with a session runs in the calling thread, which the session belongs to.
"""

import asyncio
import threading
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, Unpack, overload

from ostinato.application import Ostinato as AsyncOstinato
from ostinato.client.base_client import OpenOptions
from ostinato.client.handles import JobHandle
from ostinato.client.job_verbs import Call
from ostinato.client.options import Args, ScheduleOptions
from ostinato.jobs.records import Job, Json
from ostinato.jobs.registry import FunctionRef
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.job_group import BlockingSession, insert_group_blocking
from ostinato.resolvers.functions import CatalogEntry

R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
P = ParamSpec("P")


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


def _blocking(
    verb: Callable[Concatenate[AsyncOstinato, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Ostinato", P], T]:
    """Return the blocking form of a verb, with its parameters and description."""

    @wraps(verb)
    def run(client: "Ostinato", /, *args: P.args, **options: P.kwargs) -> T:
        return client.run(verb(client.app, *args, **options))

    return run


def _iterating(
    verb: Callable[Concatenate[AsyncOstinato, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Ostinato", P], Generator[T, None, None]]:
    """Return the blocking form of a verb that follows changes: close the generator to stop."""

    @wraps(verb)
    def run(client: "Ostinato", /, *args: P.args, **options: P.kwargs) -> Generator[T, None, None]:
        messages = verb(client.app, *args, **options)
        try:
            while True:
                try:
                    yield client.run(_entered(messages.__anext__))
                except StopAsyncIteration:
                    return
        finally:
            client.run(messages.aclose())

    return run


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

    A process that forks opens it after the fork. The verbs are those of `ostinato.Ostinato`.
    Those that follow changes are generators; each message is awaited in the calling thread.
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
        """Run a coroutine in the thread of the asynchronous client: `app.run(other(app.app))`."""
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
        """Schedule 1 to 1,000 jobs in one transaction, or in that of `session`: all, or none.

        Returns them in order. Raises BadRequest, OwnerSuspended, QuotaExceeded, Unavailable,
        Conflict for a key that was used for another call, and PayloadTooLarge.
        """
        if session is None:
            handles = self.run(self.app.schedule_many(calls))
        else:
            group = self.run(self.app.prepare(calls, session))
            jobs = insert_group_blocking(self.app.engine, group, session, self.run)
            handles = self.app.handles(calls, jobs)
        return [BlockingJobHandle(handle, self._thread) for handle in handles]

    def handle(self, job: Job) -> BlockingJobHandle[Json]:
        """Return a handle of a job that was read, to wait for its result."""
        return BlockingJobHandle(self.app.handle(job), self._thread)

    def functions(self) -> list[CatalogEntry]:
        """Return the functions that this process has imported, by name."""
        return self.app.functions()

    acknowledge_alert = _blocking(AsyncOstinato.acknowledge_alert)
    activity = _blocking(AsyncOstinato.activity)
    add_items = _blocking(AsyncOstinato.add_items)
    alerts = _blocking(AsyncOstinato.alerts)
    apply_crons = _blocking(AsyncOstinato.apply_crons)
    audit_log = _blocking(AsyncOstinato.audit_log)
    backfill_cron = _blocking(AsyncOstinato.backfill_cron)
    batch = _blocking(AsyncOstinato.batch)
    batches = _blocking(AsyncOstinato.batches)
    bulk_action = _blocking(AsyncOstinato.bulk_action)
    bulk_actions = _blocking(AsyncOstinato.bulk_actions)
    calendars = _blocking(AsyncOstinato.calendars)
    cancel = _blocking(AsyncOstinato.cancel)
    cancel_batch = _blocking(AsyncOstinato.cancel_batch)
    cancel_bulk_action = _blocking(AsyncOstinato.cancel_bulk_action)
    cancel_jobs = _blocking(AsyncOstinato.cancel_jobs)
    cancel_request = _blocking(AsyncOstinato.cancel_request)
    complete_request = _blocking(AsyncOstinato.complete_request)
    count_jobs = _blocking(AsyncOstinato.count_jobs)
    create_calendar = _blocking(AsyncOstinato.create_calendar)
    create_with_timeout = _blocking(AsyncOstinato.create_with_timeout)
    cron = _blocking(AsyncOstinato.cron)
    cron_health = _blocking(AsyncOstinato.cron_health)
    cron_named = _blocking(AsyncOstinato.cron_named)
    cron_ticks = _blocking(AsyncOstinato.cron_ticks)
    crons = _blocking(AsyncOstinato.crons)
    delete_batch = _blocking(AsyncOstinato.delete_batch)
    delete_calendar = _blocking(AsyncOstinato.delete_calendar)
    delete_cron = _blocking(AsyncOstinato.delete_cron)
    delete_items = _blocking(AsyncOstinato.delete_items)
    delete_recurring_task = _blocking(AsyncOstinato.delete_recurring_task)
    delete_request = _blocking(AsyncOstinato.delete_request)
    delete_revocation = _blocking(AsyncOstinato.delete_revocation)
    extend_request = _blocking(AsyncOstinato.extend_request)
    failure_groups = _blocking(AsyncOstinato.failure_groups)
    failures = _blocking(AsyncOstinato.failures)
    get = _blocking(AsyncOstinato.get)
    job_totals = _blocking(AsyncOstinato.job_totals)
    jobs = _blocking(AsyncOstinato.jobs)
    logs = _blocking(AsyncOstinato.logs)
    owner = _blocking(AsyncOstinato.owner)
    pause_batch = _blocking(AsyncOstinato.pause_batch)
    pause_cron = _blocking(AsyncOstinato.pause_cron)
    pause_queue = _blocking(AsyncOstinato.pause_queue)
    preview = _blocking(AsyncOstinato.preview)
    preview_cron_change = _blocking(AsyncOstinato.preview_cron_change)
    preview_ticks = _blocking(AsyncOstinato.preview_ticks)
    purge_owner = _blocking(AsyncOstinato.purge_owner)
    queues = _blocking(AsyncOstinato.queues)
    quotas = _blocking(AsyncOstinato.quotas)
    recorded_failure = _blocking(AsyncOstinato.recorded_failure)
    recurring_task = _blocking(AsyncOstinato.recurring_task)
    recurring_tasks = _blocking(AsyncOstinato.recurring_tasks)
    register_cron = _blocking(AsyncOstinato.register_cron)
    reject_request = _blocking(AsyncOstinato.reject_request)
    replace_calendar = _blocking(AsyncOstinato.replace_calendar)
    request = _blocking(AsyncOstinato.request)
    requests = _blocking(AsyncOstinato.requests)
    reschedule = _blocking(AsyncOstinato.reschedule)
    reschedule_jobs = _blocking(AsyncOstinato.reschedule_jobs)
    resolve = _blocking(AsyncOstinato.resolve)
    resolve_alert = _blocking(AsyncOstinato.resolve_alert)
    resolve_failures = _blocking(AsyncOstinato.resolve_failures)
    resume_batch = _blocking(AsyncOstinato.resume_batch)
    resume_cron = _blocking(AsyncOstinato.resume_cron)
    resume_owner = _blocking(AsyncOstinato.resume_owner)
    resume_queue = _blocking(AsyncOstinato.resume_queue)
    retry = _blocking(AsyncOstinato.retry)
    retry_failures = _blocking(AsyncOstinato.retry_failures)
    retry_jobs = _blocking(AsyncOstinato.retry_jobs)
    revoke_token = _blocking(AsyncOstinato.revoke_token)
    revoke_tokens = _blocking(AsyncOstinato.revoke_tokens)
    skip_next_run = _blocking(AsyncOstinato.skip_next_run)
    start_batch = _blocking(AsyncOstinato.start_batch)
    start_recurring_task = _blocking(AsyncOstinato.start_recurring_task)
    stop_recurring_task = _blocking(AsyncOstinato.stop_recurring_task)
    suspend_owner = _blocking(AsyncOstinato.suspend_owner)
    suspended_owners = _blocking(AsyncOstinato.suspended_owners)
    token_revocations = _blocking(AsyncOstinato.token_revocations)
    tree = _blocking(AsyncOstinato.tree)
    trigger_cron = _blocking(AsyncOstinato.trigger_cron)
    update_batch = _blocking(AsyncOstinato.update_batch)
    update_cron = _blocking(AsyncOstinato.update_cron)
    update_recurring_task = _blocking(AsyncOstinato.update_recurring_task)
    workers = _blocking(AsyncOstinato.workers)

    activity_changes = _iterating(AsyncOstinato.activity_changes)
    alert_changes = _iterating(AsyncOstinato.alert_changes)
    batch_changes = _iterating(AsyncOstinato.batch_changes)
    batch_list_changes = _iterating(AsyncOstinato.batch_list_changes)
    bulk_action_changes = _iterating(AsyncOstinato.bulk_action_changes)
    changes = _iterating(AsyncOstinato.changes)
    count_changes = _iterating(AsyncOstinato.count_changes)
    cron_changes = _iterating(AsyncOstinato.cron_changes)
    cron_tick_changes = _iterating(AsyncOstinato.cron_tick_changes)
    failure_changes = _iterating(AsyncOstinato.failure_changes)
    job_changes = _iterating(AsyncOstinato.job_changes)
    log_changes = _iterating(AsyncOstinato.log_changes)
    recurring_task_changes = _iterating(AsyncOstinato.recurring_task_changes)
    request_changes = _iterating(AsyncOstinato.request_changes)
    request_list_changes = _iterating(AsyncOstinato.request_list_changes)
    tree_changes = _iterating(AsyncOstinato.tree_changes)


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
