"""One attempt of a job: what was claimed, and how an exception decides what comes next. Pure."""

import traceback
from dataclasses import dataclass, replace
from typing import Any, Final

from ostinato.jobs.context import JobInfo
from ostinato.jobs.documents import cause_from
from ostinato.jobs.json_values import replace_surrogates, to_whole_number
from ostinato.jobs.lifecycle import MAX_ATTEMPTS, MAX_EVENTS, MAX_WORKERS_LOST, TransitionName
from ostinato.jobs.mongo.client import Document
from ostinato.jobs.mongo.completions import Outcome
from ostinato.jobs.mongo.job_documents import retry_from
from ostinato.jobs.mongo.poisoned_jobs import MALFORMED_ERRORS
from ostinato.jobs.records import FunctionKind, Json, JsonObject
from ostinato.jobs.registry import Function
from ostinato.jobs.retry import Random, RetryAfter, parse_when

MAX_MESSAGE_CHARS: Final = 1_024  # at most 4 KiB in UTF-8
MAX_TRACEBACK_CHARS: Final = 4_096
MAX_STORED_ATTEMPTS: Final = MAX_EVENTS + MAX_ATTEMPTS  # a start is an event, a retry adds a round
MAX_FRAMES: Final = 30
MAX_CHAINED: Final = 20  # of a chain and of a group: their text is cut off sooner than that
MAX_GROUPED: Final = 15
MAX_LINKED: Final = MAX_CHAINED + MAX_GROUPED
CHAIN_SEPARATOR: Final = "\nThe above exception led to the following one:\n\n"
WORKER_LOST: Final = "WorkerLost"
INFRASTRUCTURE_DELAY_MS: Final = 1_000  # beside the timeout that it took: an outage is waited out
MAX_INFRASTRUCTURE_DELAY_MS: Final = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of a job, as its worker holds it."""

    job: JobInfo
    args: JsonObject
    policy: Document
    """The job's `Retry`, as it is stored: read when an attempt fails."""
    keep_ms: int
    timeout_ms: int | None = None
    """Real time that it may take; None for the function's own."""
    version: int = 0
    """The job's, as of the claim."""

    @classmethod
    def of(cls, document: Document, keep_ms: int) -> "Attempt":
        """Read a job's document; raises one of MALFORMED_ERRORS if no attempt can be made of it."""
        job = JobInfo(
            id=document["_id"],
            function_name=document["functionName"],
            attempt=to_whole_number(
                document["attempt"], "attempt", least=0, most=MAX_STORED_ATTEMPTS
            ),
            max_attempts=to_whole_number(
                document["maxAttempts"], "maxAttempts", least=0, most=MAX_STORED_ATTEMPTS
            ),
            owner=document["owner"],
            cause=cause_from(document["cause"]),
            scheduled_time=document["scheduledTime"],
        )
        return cls(
            job=job,
            args=document["args"],
            policy=document["retry"],
            keep_ms=keep_ms,
            timeout_ms=document.get("timeoutMs"),
            version=int(document["version"]),
        )

    @property
    def job_id(self) -> str:
        return self.job.id

    @property
    def number(self) -> int:
        """From 1; the fence: it rises at every start."""
        return self.job.attempt

    @property
    def function_name(self) -> str:
        return self.job.function_name

    @property
    def max_attempts(self) -> int:
        return self.job.max_attempts

    @property
    def is_last(self) -> bool:
        return self.number >= self.max_attempts

    def succeed(self, result: Json) -> Outcome:
        return self._outcome(TransitionName.SUCCEED, result=result)

    def cancel(self) -> Outcome:
        return self._outcome(TransitionName.STOP)

    def on_error(
        self, error: dict[str, Any], random: Random, after: RetryAfter | None = None
    ) -> Outcome:
        """Decide after an exception that the policy covers: the next attempt, when the policy
        or the function itself says, or failure if none is left."""
        if self.is_last:
            return self.fail(error)
        if after is not None:
            return self._retry_as_asked(error, after)
        try:
            retry = retry_from(self.policy)
        except MALFORMED_ERRORS:  # nobody can say when: what it raised is what matters
            return self.fail(error)
        round_start = self.max_attempts - retry.max_attempts
        delay_ms = retry.delay_ms(max(1, self.number - round_start), random)
        return self._outcome(TransitionName.RETRY, error=error, delay_ms=delay_ms)

    def fail(self, error: dict[str, Any]) -> Outcome:
        """Fail after an exception, whatever attempts are left."""
        return self._outcome(TransitionName.FAIL, error=error)

    def on_infrastructure_error(self, error: dict[str, Any], random: Random) -> Outcome:
        """Decide when the database kept a mutation from its end: nothing of it was written, so
        it runs again soon, beyond its policy if need be, but not for ever. Rivals that were
        hindered together come again apart."""
        if self.number >= MAX_ATTEMPTS:
            return self._outcome(TransitionName.FAIL, error=error)
        delay_cap_ms = min(
            INFRASTRUCTURE_DELAY_MS * 2 ** (self.number - 1), MAX_INFRASTRUCTURE_DELAY_MS
        )
        delay_ms = int(delay_cap_ms * (0.5 + random() / 2))
        return self._outcome(TransitionName.RETRY, error=error, delay_ms=delay_ms)

    def fail_timeline_full(self) -> Outcome:
        """Fail without a start: every attempt adds events to the timeline."""
        message = f"the job's timeline holds at most {MAX_EVENTS} events: schedule a new job"
        return self._outcome(TransitionName.FAIL, error=stored_error("TimelineFull", message))

    def release(self) -> Outcome:
        """Give back what was claimed, but not started."""
        return self._outcome(TransitionName.HAND_BACK)

    def on_shutdown(self, kind: FunctionKind) -> Outcome:
        """Decide when the worker shuts down in the middle of it."""
        if may_run_again(kind, self.is_last) and self.number < MAX_ATTEMPTS:
            return self._outcome(TransitionName.HAND_BACK)
        message = "the worker shut down while it ran, and it has no attempt left"
        return self._outcome(TransitionName.FAIL, error=stored_error("WorkerStopped", message))

    def on_unknown_outcome(self, kind: FunctionKind) -> Outcome | None:
        """Decide when it began, and how it ended is not known; None if it may start again, as if
        it had never begun."""
        if may_run_again(kind, self.is_last) and self.number < MAX_ATTEMPTS:
            return None
        message = "how the attempt ended could not be stored, and it has no attempt left"
        return self._outcome(TransitionName.FAIL, error=stored_error("OutcomeLost", message))

    def on_worker_lost(self, kind: FunctionKind | None, times_lost: int, worker_id: str) -> Outcome:
        """Decide when the worker is gone; `times_lost` counts this time too."""
        error = stored_error(
            WORKER_LOST, f"worker {worker_id} stopped answering while it ran the job"
        )
        again = may_run_again(kind, self.is_last) and times_lost < MAX_WORKERS_LOST
        return self._outcome(TransitionName.LOSE if again else TransitionName.FAIL, error=error)

    def _retry_as_asked(self, error: dict[str, Any], after: RetryAfter) -> Outcome:
        try:
            when = parse_when(after.when)  # the function may have changed it since
        except (ValueError, AttributeError) as odd:
            return self.fail({**error, "message": replace_surrogates(f"RetryAfter: {odd}")})
        if isinstance(when, int):
            return self._outcome(TransitionName.RETRY, error=error, delay_ms=when)
        return replace(self._outcome(TransitionName.RETRY, error=error), due_at=when)

    def _outcome(
        self,
        move: TransitionName,
        *,
        result: Json = None,
        error: dict[str, Any] | None = None,
        delay_ms: int = 0,
    ) -> Outcome:
        return Outcome(
            job_id=self.job_id,
            attempt=self.number,
            transition=move,
            keep_ms=self.keep_ms,
            result=result,
            error=error,
            delay_ms=delay_ms,
        )


def may_run_again(kind: FunctionKind | None, last: bool) -> bool:
    """Tell whether a job may be started once more after an attempt that did not end.

    Nothing of a mutation was committed, so it simply runs again; an action may have touched the
    outside world, so its policy decides.
    """
    return kind is FunctionKind.MUTATION or not last


def keep_ms_of(function: Function | None, default_ms: int) -> int:
    if function is None or function.result_ttl_ms is None:
        return default_ms
    return function.result_ttl_ms


def stored_error(name: str, message: str, trace: str | None = None) -> dict[str, Any]:
    """Build the stored form of an error, within its limits."""
    return {
        "name": replace_surrogates(name[:MAX_MESSAGE_CHARS]),
        "message": replace_surrogates(message[:MAX_MESSAGE_CHARS]),
        "traceback": replace_surrogates(trace[-MAX_TRACEBACK_CHARS:]) if trace else None,
    }


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Build the stored form of an exception; never raises, whatever its class does."""
    name = name_of(error)
    try:
        return stored_error(name, message_of(error), traceback_of(error))
    except BaseException as failed:
        return stored_error(name, f"its error cannot be put into words: {name_of(failed)}")


def name_of(error: BaseException) -> str:
    """Return the name of an exception's class, past any property of a metaclass."""
    return str(type.__dict__["__name__"].__get__(type(error)))


def message_of(error: BaseException) -> str:
    try:
        return str.__str__(str(error))  # it may be of a class of the user's own
    except BaseException as failed:  # a user's own exception class ran here: it may even exit
        return f"its message cannot be read: {name_of(failed)}"


def traceback_of(error: BaseException) -> str:
    """Return the traceback as Python prints it, or a plainer one of an error that is too large
    for that or that cannot be printed; never raises."""
    try:
        if _is_small(error):
            return "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
    except BaseException:  # a user's own exception class ran here
        return _plain_traceback_of(error)
    return _plain_traceback_of(error)


def _is_small(error: BaseException) -> bool:
    """Return whether few errors are chained to an error or grouped in it: the traceback module
    formats all of them, however many, before it returns a line."""
    found, seen = [error], {id(error)}
    while found and len(seen) < MAX_LINKED:
        each = found.pop()
        members = each.exceptions[:MAX_LINKED] if isinstance(each, BaseExceptionGroup) else ()
        linked = (each.__cause__, each.__context__, *members)
        new = [one for one in linked if one is not None and id(one) not in seen]
        seen.update(map(id, new))
        found += new
    return not found


def _plain_traceback_of(error: BaseException) -> str:
    """Format an error and the nearest that led to it, each on its own; a group's first ones too."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and len(chain) < MAX_CHAINED:
        chain.append(each)
        each = _origin_of(each)
    return CHAIN_SEPARATOR.join(_alone(one) for one in reversed(chain))


def _origin_of(error: BaseException) -> BaseException | None:
    try:
        return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    except BaseException:  # a user's own exception class ran here
        return None


def _alone(error: BaseException) -> str:
    try:
        frames = traceback.format_tb(error.__traceback__, limit=-MAX_FRAMES)
    except BaseException:  # a user's own exception class ran here
        frames = []
    lines = [_in_one_line(error)]
    if issubclass(type(error), BaseExceptionGroup):
        members = BaseExceptionGroup.exceptions.__get__(error)
        lines += [f"  | {_in_one_line(each)}" for each in members[:MAX_GROUPED]]
    return "".join(["Traceback (most recent call last):\n", *frames, *lines])


def _in_one_line(error: BaseException) -> str:
    return f"{name_of(error)}: {message_of(error)[:MAX_MESSAGE_CHARS]}\n"
