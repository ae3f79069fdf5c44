"""The client's verbs for jobs and failures."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, Unpack, overload

from ostinato.client.base_client import BaseClient, call, log_window, page_window
from ostinato.client.handles import JobHandle, result_type
from ostinato.client.options import (
    Args,
    JobRequest,
    ScheduleOptions,
    job_filter,
    parse_due_time,
    parse_options,
)
from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.failure_groups import FailureGroup
from ostinato.jobs.filters import FailureFilter, JobFilter, JobOrder
from ostinato.jobs.job_logs import LogLine
from ostinato.jobs.job_totals import JobTotals
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.paging import ListCount, Page
from ostinato.jobs.records import Failure, Job, Json
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.transactions.job_group import (
    CallerSession,
    JobGroup,
    ScheduledJobs,
    insert_group,
    prepare_in,
    schedule_group,
)
from ostinato.resolvers import failures, overview, scheduling
from ostinato.resolvers.context import ApplicationContext

R = TypeVar("R")
T = TypeVar("T")
Coroutine = Callable[..., Awaitable[R]]
"""A decorated function."""


class Call:
    """A call of a function, for `schedule_many`: the arguments of one `schedule`."""

    def __init__(
        self, function: FunctionRef, args: Args | None = None, **options: Unpack[ScheduleOptions]
    ) -> None:
        self.function = function
        self.args = args
        self.options = options


class JobVerbs(BaseClient):
    """Schedules, reads and changes jobs.

    `owner` is the user for whom a verb acts: it does not find the jobs of others. None finds those
    of all owners.
    """

    @overload
    async def schedule(
        self,
        function: str,
        args: Args | None = None,
        *,
        session: CallerSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> JobHandle[Json]: ...
    @overload
    async def schedule(
        self,
        function: Coroutine[R],
        args: Args | None = None,
        *,
        session: CallerSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> JobHandle[R]: ...
    async def schedule(
        self,
        function: FunctionRef,
        args: Args | None = None,
        *,
        session: CallerSession | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> JobHandle[Any]:
        """Schedule a job, due now by default; the function need not be public.

        A function that this process has not imported is given by name: its arguments are validated
        when the job starts. If the owner has used the key before, returns the existing job.

        `session` is a session of Motor or PyMongo in a transaction of the application, on the same
        deployment: the job exists if and only if that transaction commits. Errors of that session
        are the driver's.

        Raises BadRequest, OwnerSuspended, QuotaExceeded, Unavailable, or Conflict if the key was
        used for a different function or different arguments.
        """
        one = Call(function, args, **options)
        if session is not None:
            (handle,) = await self.schedule_many([one], session=session)
            return handle
        scheduled = await self._add([one], lambda new_jobs: self.engine.schedule(new_jobs[0]))
        await self.engine.queues.warnings.report(scheduled.queue)
        return self._handle(function, scheduled)

    async def schedule_many(
        self, calls: Sequence[Call], *, session: CallerSession | None = None
    ) -> list[JobHandle[Any]]:
        """Schedule 1 to 1,000 jobs in one transaction, or in that of `session`: all, or none.

        Returns them in order. Raises like `schedule`, and PayloadTooLarge for more than 8 MiB of
        arguments in total.
        """
        if session is None:
            jobs = await self._add(calls, lambda new_jobs: schedule_group(self.engine, new_jobs))
        else:
            jobs = await insert_group(self.engine, await self.prepare(calls, session), session)
        return self.handles(calls, jobs)

    async def prepare(self, calls: Sequence[Call], session: CallerSession) -> JobGroup:
        """Build jobs for a transaction, without writing them; for `ostinato.sync`.

        They count towards the quotas until the group is closed.
        """
        return await self._add(calls, lambda new_jobs: prepare_in(self.engine, new_jobs, session))

    def handles(self, calls: Sequence[Call], jobs: ScheduledJobs) -> list[JobHandle[Any]]:
        """Return the handles of the jobs of calls."""
        ids = enumerate(jobs.ids)
        return [
            JobHandle(self, job_id, partial(jobs.__getitem__, number), result_type(one.function))
            for one, (number, job_id) in zip(calls, ids, strict=True)
        ]

    async def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Read a job; raises NotFound or Malformed."""
        return await call(scheduling.job(self.context(owner), job_id))

    def handle(self, job: Job) -> JobHandle[Json]:
        """Return a handle of a job that was read, to wait for its result."""
        return self._handle(job.function_name, job)

    async def jobs(
        self,
        which: JobFilter | None = None,
        *,
        owner: str | None = None,
        order: JobOrder = JobOrder.NEWEST,
        first: int = 100,
        after: Job | None = None,
    ) -> Page[Job]:
        """Read a page of up to 1,000 jobs, newest first; `after` is the last job before it.

        Without a filter, it contains all but internal jobs.
        """
        is_timed = order in (JobOrder.SCHEDULED_ASC, JobOrder.SCHEDULED_DESC)
        window = page_window(first, after, after.scheduled_time if after and is_timed else None)
        found = scheduling.jobs(self.context(owner), job_filter(which), order, window)
        return await call(found)

    async def tree(
        self,
        root_id: str,
        *,
        owner: str | None = None,
        first: int = 100,
        after: Job | None = None,
    ) -> Page[Job]:
        """Read a page of up to 1,000 jobs of a tree, oldest first, by the `root_id` of its jobs."""
        window = page_window(first, after)
        return await call(scheduling.job_tree(self.context(owner), root_id, window))

    async def count_jobs(
        self, which: JobFilter | None = None, *, owner: str | None = None
    ) -> ListCount:
        """Count matching jobs, up to 10,000 and for up to a second."""
        return await call(scheduling.count_jobs(self.context(owner), job_filter(which)))

    async def logs(
        self,
        job_id: str,
        *,
        owner: str | None = None,
        first: int = 1_000,
        after: LogLine | None = None,
    ) -> Page[LogLine]:
        """Read a page of up to 1,000 lines of the job's log, oldest first; raises NotFound."""
        window = log_window(first, after)
        return await call(scheduling.job_logs(self.context(owner), job_id, window))

    async def cancel(self, job_id: str, *, owner: str | None = None, cascade: bool = False) -> Job:
        """Cancel a pending job, or ask a running one to stop.

        `cascade` also cancels the unfinished jobs that it has led to, except internal ones. Raises
        NotFound, or, without `cascade`, PreconditionFailed if it has ended.
        """
        if cascade:
            return await self._cancel_tree(job_id, owner)
        return await self.mutate(
            "cancelJob",
            {"jobId": job_id},
            lambda context: scheduling.cancel_job(context, job_id),
            owner,
        )

    async def _cancel_tree(self, job_id: str, owner: str | None) -> Job:
        while True:
            job, cascade = await self.mutate(
                "cancelJob",
                {"jobId": job_id, "cascade": True},
                lambda context: scheduling.cancel_tree(context, job_id),
                owner,
            )
            if cascade.is_complete:
                return job

    async def reschedule(
        self,
        job_id: str,
        *,
        run_at: datetime | None = None,
        run_after: timedelta | None = None,
        expected_version: int | None = None,
        owner: str | None = None,
    ) -> Job:
        """Change when a pending job is due: at `run_at`, or after `run_after` from now.

        Raises NotFound, BadRequest, Conflict if the job's version is not the expected one, or
        PreconditionFailed in any other state.
        """
        change = parse_due_time(run_at, run_after, expected_version)
        return await self.mutate(
            "rescheduleJob",
            {"jobId": job_id, "runAt": run_at, "runAfterMs": change.run_after_ms},
            lambda context: scheduling.reschedule_job(context, job_id, change),
            owner,
        )

    async def retry(
        self, job_id: str, *, args: Args | None = None, owner: str | None = None
    ) -> Job:
        """Start another set of attempts of a failed or canceled job, and resolve its failure.

        `args` replaces its arguments; they are validated if its function is imported here.
        Raises NotFound, OwnerSuspended, QuotaExceeded, or PreconditionFailed in any other state.
        """
        new = None if args is None else plain_arguments(args)
        return await self.mutate(
            "retryJob",
            {"jobId": job_id, "argsChanged": args is not None},
            lambda context: scheduling.retry_job(context, job_id, new),
            owner,
        )

    async def job_totals(self, *, owner: str | None = None) -> JobTotals:
        """Count the jobs in each state, all at one instant; exact up to 50,000 jobs."""
        return await call(overview.job_totals(self.context(owner)))

    async def activity(
        self,
        reach: ActivityRange,
        *,
        function: FunctionRef | None = None,
        owner: str | None = None,
    ) -> Activity:
        """Read what attempts did recently, by interval; raises BadRequest at `functionName`.

        Of the installation, workers report with a delay of up to five seconds. That of an owner is
        read from their newest 5,000 jobs.
        """
        name = None if function is None else name_of(function)
        return await call(overview.activity(self.context(owner), reach, name))

    async def failures(
        self,
        which: FailureFilter | None = None,
        *,
        owner: str | None = None,
        first: int = 100,
        after: Failure | None = None,
    ) -> Page[Failure]:
        """Read a page of up to 1,000 failures, newest first; without a filter, the open ones."""
        window = page_window(first, after)
        return await call(failures.failures(self.context(owner), window, which))

    async def recorded_failure(self, job_id: str, *, owner: str | None = None) -> Failure | None:
        """Read the newest failure that the job's function recorded; raises NotFound."""
        return await call(failures.failure_recorded_by(self.context(owner), job_id))

    async def failure_groups(
        self,
        which: FailureFilter | None = None,
        *,
        owner: str | None = None,
        first: int = 100,
        after: FailureGroup | None = None,
    ) -> Page[FailureGroup]:
        """Read a page of groups of similar failures, among the 10,000 newest ones."""
        window = page_window(first, after, after.last_seen_at if after else None)
        chosen = which or FailureFilter()
        return await call(failures.failure_groups(self.context(owner), chosen, window))

    async def resolve(self, failure_id: str, *, owner: str | None = None) -> Failure:
        """Resolve a failure, and let its job be purged.

        Raises NotFound, or PreconditionFailed if it is resolved.
        """
        return await self.mutate(
            "resolveFailure",
            {"failureId": failure_id},
            lambda context: failures.resolve_failure(context, failure_id),
            owner,
        )

    async def _add(self, calls: Sequence[Call], add: Callable[[list[NewJob]], Awaitable[T]]) -> T:
        """Build the jobs of calls and add them; records one entry in the audit log."""
        requests = [parse_options(name_of(one.function), one.args, one.options) for one in calls]

        owners = {request.owner for request in requests}

        async def run(_context: ApplicationContext) -> T:
            contexts = {owner: self.context(owner) for owner in owners}
            now = await self.engine.clock.now()

            def build(request: JobRequest) -> NewJob:
                target = self.engine.registry.target(request.new.function_name)
                args = target.bind(request.new.args)
                return scheduling.build_job(contexts[request.owner], target, request.new, args, now)

            if len(requests) == 1:
                new_jobs = [build(requests[0])]
            else:
                new_jobs = await scheduling.build_jobs(requests, build)
            for context in contexts.values():
                await context.require_active()
            return await add(new_jobs)

        owner = requests[0].owner if len(owners) == 1 else None
        if len(requests) == 1:
            return await self.mutate("scheduleJob", requests[0].new, run, owner)
        names = sorted({request.new.function_name for request in requests})
        given = {"jobs": len(requests), "functionNames": names}
        return await self.mutate("scheduleJobs", given, run, owner)

    def _handle(self, function: FunctionRef, job: Job) -> JobHandle[Any]:
        return JobHandle(self, job.id, lambda: job, result_type(function))
