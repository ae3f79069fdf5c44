"""Runs one attempt: function lookup, argument unpacking, call and outcome."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never, cast

from pydantic_core import to_json

from ostinato.jobs.async_tools.timeouts import DeadlineExceeded, Deadlines
from ostinato.jobs.context import AttemptLost, Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.grouped import GROUPED
from ostinato.jobs.json_values import TooLarge, to_json_value
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.mongo.client import (
    MongoError,
    MongoOperationFailure,
    is_transient,
    summarize,
)
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.poisoned_jobs import rejects_content
from ostinato.jobs.mongo.transaction import Contended
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import FunctionKind, Json
from ostinato.jobs.registry import Function, time_limit_ms
from ostinato.jobs.retry import Random, RetryAfter
from ostinato.jobs.transactions.grouped_mutations import GroupedMutations, GroupMember
from ostinato.jobs.transactions.shared_transactions import SharedTransactions
from ostinato.jobs.transactions.transactor import ExecutionIdentity
from ostinato.jobs.worker.action_context import ActionContext, AttemptParts, deadline_exceeded
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.function_stats import FunctionStats, SharingClass
from ostinato.jobs.worker.job_log_writer import JobLogWriter
from ostinato.jobs.worker.mutation_attempts import AttemptFence, UserClientError, call_mutation
from ostinato.jobs.worker.progress import ProgressReport
from ostinato.jobs.worker.stored_errors import (
    describe_exception,
    message_of,
    stored_error,
    traceback_of,
)

PING_TIMEOUT_S = 1.0
SIZED = (str, list, dict)  # faster than `str | list | dict`, which is built for each call
OWN_CANCELLATION = "the function canceled its own task, or awaited a canceled one"

log = get_log(__name__)


class CommitRefused(Exception):
    """MongoDB rejected the commit after the function returned; a retry may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRunner:
    """Runs attempts and classifies their errors."""

    engine: Engine
    outcome_store: OutcomeStore
    shared_transactions: Mapping[SharingClass, SharedTransactions]
    grouped: GroupedMutations
    stats: FunctionStats
    job_logs: JobLogWriter
    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    draw: Random
    """Draws the jitter of retries."""
    unknown_throttle: LogThrottle = field(default_factory=lambda: LogThrottle(math.inf))
    """Allows one warning per unknown function."""

    async def run(
        self, attempt: Attempt, progress: ProgressReport, returned: Callable[[], None]
    ) -> Outcome | None:
        """Run an attempt; return the outcome to write, None if there is nothing to write.

        That is the case if a mutation has committed its success with its transaction, or if an
        action's attempt no longer holds the job. Calls `returned` when a function that runs in a
        group has returned, before the commit. Raises only CancelledError.
        """
        function = self.engine.registry.get(attempt.function_name)
        if function is None:
            return self._outcome_of_unknown(attempt)
        parts = AttemptParts(self.engine, self.job_logs, attempt, progress.buffer)
        try:
            return await self._call(function, attempt, parts, progress, returned)
        except AttemptLost:
            # A mutation was aborted. If its cancellation was requested, `stop` applies; if another
            # attempt holds the job, the guard of `stop` matches nothing.
            log.info("attempt.lost", job_id=attempt.job_id, attempt=attempt.number)
            return attempt.outcome_of_stop() if function.kind is FunctionKind.MUTATION else None
        except asyncio.CancelledError:
            raise
        except UserClientError as own:
            return self._outcome_by_policy(function, attempt, own.error)
        except BaseException as error:  # user code ran here: sys.exit() fails only this job
            return await self._outcome_of_error(function, attempt, error)
        finally:
            parts.finish()

    async def _call(
        self,
        function: Function,
        attempt: Attempt,
        parts: AttemptParts,
        progress: ProgressReport,
        returned: Callable[[], None],
    ) -> Outcome | None:
        match function.kind:
            case FunctionKind.MUTATION:
                grouped = await self._run_in_group(function, attempt, parts.identity, returned)
                if grouped is None:
                    await self._run_mutation(function, attempt, parts.identity, progress)
                return grouped
            case FunctionKind.ACTION:
                return await self._run_action(function, attempt, parts, progress)
            case never:
                assert_never(never)

    def _outcome_of_unknown(self, attempt: Attempt) -> Outcome:
        """Return the outcome for a function that is not registered; log each function once."""
        name = attempt.function_name
        message = (
            f"Function {name!r} is not registered on this worker: is OSTINATO_FUNCTIONS the same "
            "for the API and the workers? Add the function's module, and restart the workers"
        )
        if self.unknown_throttle.allows(name):
            log.warning("function.unknown", function=name, reason=message)
        return attempt.outcome_of_error(stored_error("UnknownFunction", message), self.draw)

    def on_self_cancellation(self, attempt: Attempt, error: asyncio.CancelledError) -> Outcome:
        """Return the outcome after a cancellation that the worker did not request."""
        function = self.engine.registry.get(attempt.function_name)
        message = message_of(error) or OWN_CANCELLATION
        stored = stored_error("CancelledError", message, traceback_of(error))
        if function is None:
            return attempt.outcome_of_failure(stored)
        return self._outcome_by_policy(function, attempt, error, stored)

    async def _outcome_of_error(
        self, function: Function, attempt: Attempt, error: BaseException
    ) -> Outcome:
        """Return the outcome for an error; fails the job if the error's class itself raises."""
        try:
            return await self._classify(function, attempt, error)
        except asyncio.CancelledError:
            raise
        except BaseException:  # code of a user's exception class ran here
            log.warning("function.error_unreadable", job_id=attempt.job_id)
            return attempt.outcome_of_failure(describe_exception(error))

    async def _classify(
        self, function: Function, attempt: Attempt, error: BaseException
    ) -> Outcome:
        is_mutation = function.kind is FunctionKind.MUTATION
        if isinstance(error, Contended | CommitRefused) or (is_mutation and is_transient(error)):
            return attempt.outcome_of_infrastructure_error(describe_exception(error), self.draw)
        if not isinstance(error, TimeoutError):
            return self._outcome_by_policy(function, attempt, error)
        if is_mutation and not await self._is_mongo_available():
            unavailable = stored_error("Unavailable", "MongoDB did not answer")
            return attempt.outcome_of_infrastructure_error(unavailable, self.draw)
        if not isinstance(error, DeadlineExceeded):
            return self._outcome_by_policy(function, attempt, error)
        stored = stored_error("TimeoutError", message_of(error), traceback_of(error))
        return self._outcome_by_policy(function, attempt, error, stored)

    def _outcome_by_policy(
        self,
        function: Function,
        attempt: Attempt,
        error: BaseException,
        stored: dict[str, Any] | None = None,
    ) -> Outcome:
        """Return the outcome for an error according to the function's retry policy."""
        stored = stored or describe_exception(error)
        if not function.retry.covers(error):
            return attempt.outcome_of_failure(stored)
        after = cast("RetryAfter", error) if issubclass(type(error), RetryAfter) else None
        return attempt.outcome_of_error(stored, self.draw, after)

    async def _is_mongo_available(self) -> bool:
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self.engine.mongo.ping()
        except (MongoError, TimeoutError):
            return False
        return True

    async def _run_mutation(
        self,
        function: Function,
        attempt: Attempt,
        identity: ExecutionIdentity,
        progress: ProgressReport,
    ) -> None:
        """Run a mutation function and commit it with its success."""
        keyword_arguments = function.arguments.unpack(attempt.claimed.args)
        has_returned = False

        async def body(ctx: Context) -> Json:
            nonlocal has_returned
            has_returned = False
            with self.stats.measured(function.name):
                result = self._checked_result(await call_mutation(function, ctx, keyword_arguments))
            has_returned = True
            return result

        shared = self.shared_transactions.get(self._sharing_class_of(function, attempt))
        write_last = shared.finish if shared else self.outcome_store.write_last
        timeout_ms = self._timeout_ms(function, attempt)
        try:
            await self.engine.transactor.run(
                identity,
                body,
                AttemptFence(self.engine, write_last, attempt, progress),
                timeout_ms=timeout_ms,
                run_body=shared.run if shared else None,
            )
        except DeadlineExceeded as error:
            raise deadline_exceeded(function, timeout_ms) from error.__cause__
        except MongoOperationFailure as error:
            if has_returned and not rejects_content(error):
                raise CommitRefused(summarize(error)) from error
            raise
        self.engine.function_counters.of(function.name).successes += 1

    async def _run_in_group(
        self,
        function: Function,
        attempt: Attempt,
        identity: ExecutionIdentity,
        returned: Callable[[], None],
    ) -> Outcome | None:
        """Run a built-in function with others; returns None if it must run alone."""
        prefetch = GROUPED.get(function.name)
        if prefetch is None or attempt.number > 1:
            return None
        keyword_arguments = function.arguments.unpack(attempt.claimed.args)

        async def body(ctx: Context) -> Json:
            return self._checked_result(await function.call(ctx, **keyword_arguments))

        result = await self.grouped.run(
            GroupMember(
                identity=identity,
                args=attempt.claimed.args,
                body=body,
                returned=returned,
                prefetch=prefetch,
            )
        )
        return None if result is None else attempt.outcome_of_success(*result)

    def _sharing_class_of(self, function: Function, attempt: Attempt) -> SharingClass:
        # A retry runs in its own transaction, so that it cannot abort the others.
        return self.stats.sharing_class(function.name) if attempt.number == 1 else SharingClass.SOLO

    async def _run_action(
        self, function: Function, attempt: Attempt, parts: AttemptParts, progress: ProgressReport
    ) -> Outcome:
        context = ActionContext(parts, attempt.claimed.owner, progress.write)
        timeout_ms = self._timeout_ms(function, attempt)
        task = asyncio.current_task(self.loop)
        assert task is not None
        deadline = self.deadlines.limit(timeout_ms / 1000, task)
        try:
            with deadline:
                result = await function.call(
                    context, **function.arguments.unpack(attempt.claimed.args)
                )
        except BaseException as error:  # user code may turn its timeout into any other error
            if deadline.has_expired:
                raise deadline_exceeded(function, timeout_ms) from error
            raise
        if deadline.has_expired:  # the function caught its cancellation
            raise deadline_exceeded(function, timeout_ms)
        return attempt.outcome_of_success(self._checked_result(result))

    def _timeout_ms(self, function: Function, attempt: Attempt) -> int:
        if attempt.claimed.timeout_ms is not None:
            return attempt.claimed.timeout_ms
        return time_limit_ms(function, self.engine.settings)

    def _checked_result(self, value: object) -> Json:
        limit = self.engine.settings.result_limit_bytes
        result = to_json_value(value, "result", limit_bytes=limit)
        if isinstance(result, SIZED) and (size := len(to_json(result))) > limit:
            raise TooLarge(
                f"result must be at most {limit:,} bytes as JSON, got {size:,}", "too_long"
            )
        return result
