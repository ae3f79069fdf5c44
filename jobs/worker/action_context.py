"""The context of an action; most of its parts are built when the function first uses them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from ostinato.jobs.async_tools.timeouts import DeadlineExceeded
from ostinato.jobs.context import Args, Context, ReportProgress, Scheduler
from ostinato.jobs.engine import Engine, ImmediateJobWriter
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.logs import Log
from ostinato.jobs.mongo.function_db import FunctionDatabase
from ostinato.jobs.records import Cause, CauseKind, FunctionKind, JobInfo
from ostinato.jobs.registry import Function, FunctionRef, time_limit_ms
from ostinato.jobs.transactions.transactor import ExecutionIdentity, function_log, scheduler_for
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.job_log_writer import AttemptLog, JobLogWriter
from ostinato.jobs.worker.mutation_attempts import UserClientError, call_mutation


class AttemptParts:
    """What few functions use of their attempt; each part is built once."""

    def __init__(
        self,
        engine: Engine,
        job_logs: JobLogWriter,
        attempt: Attempt,
        buffer_progress: ReportProgress,
    ) -> None:
        self.engine = engine
        self._job_logs = job_logs
        self._attempt = attempt
        self._buffer_progress = buffer_progress
        self._lines: AttemptLog | None = None

    @cached_property
    def job(self) -> JobInfo:
        return self._attempt.claimed.info

    @cached_property
    def log(self) -> Log:
        self._lines = AttemptLog(self._job_logs, self.job)
        return self._lines.bound_to(function_log(self.job))

    @cached_property
    def identity(self) -> ExecutionIdentity:
        return ExecutionIdentity(
            owner=self.job.owner,
            cause=Cause(kind=CauseKind.JOB, id=self.job.id),
            job=self.job,
            report_progress=self._buffer_progress,
            log=self.log,
        )

    def finish(self) -> None:
        """Store the lines soon: the attempt has ended."""
        if self._lines is not None:
            self._lines.finish()


class ActionContext(Context):
    """Most actions use few of the parts, which together cost more than a short action."""

    __slots__ = ("_parts",)

    def __init__(
        self, parts: AttemptParts, owner: str | None, report_progress: ReportProgress
    ) -> None:
        self._parts = parts
        self.owner = owner
        self.registry = parts.engine.registry
        self.settings = parts.engine.settings
        self.clock = parts.engine.clock
        self.report_progress = report_progress
        self.bulk_changer = None

    def __getattr__(self, name: str) -> Any:
        """Build a part; Python calls this for an attribute that is not set."""
        build = BUILDERS.get(name)
        if build is None:
            raise AttributeError(f"the context of a function has no attribute {name!r}", name=name)
        part = build(self._parts)
        setattr(self, name, part)
        return part


def _build_scheduler(parts: AttemptParts) -> Scheduler:
    engine = parts.engine
    writer = ImmediateJobWriter(engine, parts.job)
    return scheduler_for(engine.registry, engine.clock, writer, parts.identity)


def _build_mutation_runner(parts: AttemptParts) -> Callable[[FunctionRef, Args], Any]:
    engine = parts.engine
    identity = replace(parts.identity, report_progress=None)

    async def run_mutation(ref: FunctionRef, args: Args) -> Any:
        function = engine.registry.resolve(ref)
        if function.kind is not FunctionKind.MUTATION:
            raise BadRequest(f"{function.name} is an action: call it with this ctx, or schedule it")
        keyword_arguments = function.arguments.unpack(function.bind(args))

        async def body(ctx: Context) -> Any:
            return await call_mutation(function, ctx, keyword_arguments)

        timeout_ms = time_limit_ms(function, engine.settings)
        try:
            return await engine.transactor.run(identity, body, timeout_ms=timeout_ms)
        except DeadlineExceeded as error:
            raise deadline_exceeded(function, timeout_ms) from error.__cause__
        except UserClientError as own:
            raise own.error from None

    return run_mutation


BUILDERS: Final[dict[str, Callable[[AttemptParts], object]]] = {
    "db": lambda parts: FunctionDatabase(parts.engine.mongo),
    "scheduler": _build_scheduler,
    "log": lambda parts: parts.log,
    "running_job": lambda parts: parts.job,
    "mutation_runner": _build_mutation_runner,
}
"""Builds the parts of an action's context, by their names there."""


def deadline_exceeded(function: Function, timeout_ms: int) -> DeadlineExceeded:
    """Return the error of a function that has not returned in time."""
    return DeadlineExceeded(f"{function.name} took longer than {timeout_ms} ms")
