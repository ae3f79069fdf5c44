"""Writes the outcomes of attempts, batched by kind."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.documents import NewFailure
from ostinato.jobs.failure_groups import first_failure
from ostinato.jobs.failure_log import FailedAttempt
from ostinato.jobs.lifecycle import MAX_DELAY_MS, TRANSITIONS, Due, TransitionName
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.poisoned_jobs import HeldJob, PoisonedJobs, write_bisecting
from ostinato.jobs.mongo.stored_json import escape
from ostinato.jobs.mongo.transaction import TIMEOUT_S, run_shielded_transaction
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import JobState

LOOKUP_BATCH_SIZE = 250  # `$indexOfArray` is linear: larger groups cost more per job


class OutcomeStore:
    """Writes outcomes, guarded by state and attempt."""

    def __init__(
        self,
        mongo: Mongo,
        timeout_s: float | None = None,
        poisoned: PoisonedJobs | None = None,
    ) -> None:
        """`timeout_s` limits the wait for locked jobs; default: the driver's timeout."""
        self._mongo = mongo
        self._jobs = mongo[JOBS]
        self._timeout_s = timeout_s
        self._poisoned = poisoned or PoisonedJobs(mongo)
        self._failure_log = self._poisoned.failure_log
        self._hook_jobs = self._poisoned.hook_jobs

    async def write(self, outcomes: Sequence[Outcome], clock_time: ClockTime) -> set[str]:
        """Write outcomes; return the ids of the jobs that ended or that another attempt holds.

        Idempotent: the guard matches each outcome once. Raises TimeoutError if a job stays locked.
        """
        lost: set[str] = set()
        for group in _group_alike(outcomes):
            written = set(_ids(group))
            if await self._write(group, clock_time) < len(group):
                states = await self._read_reached(group)
                lost |= written - states.keys()
                target = TRANSITIONS[group[0].transition].target
                written = {job_id for job_id, state in states.items() if state is target}
            self._report(outcome for outcome in group if outcome.job_id in written)
        return lost

    async def write_or_fail_poisoned(
        self, outcomes: Sequence[Outcome], clock_time: ClockTime
    ) -> set[str]:
        """Write outcomes; after a rejection, bisect to isolate the document and fail its job.

        Returns the ids of the jobs that keep their state, because they could not be failed either;
        raises like `write`.
        """
        rejected = await write_bisecting(outcomes, lambda some: self.write(some, clock_time))
        return {
            outcome.job_id
            for outcome, error in rejected
            if not await self.fail_poisoned(outcome, error, clock_time)
        }

    async def fail_poisoned(
        self, outcome: Outcome, error: Exception, clock_time: ClockTime
    ) -> bool:
        """Fail a job whose outcome was rejected; returns False if MongoDB rejects that write."""
        held = HeldJob(outcome.job_id, JobState.IN_PROGRESS, outcome.attempt)
        return await self._poisoned.fail(held, error, clock_time)

    async def write_last(self, session: Session, outcome: Outcome, clock_time: ClockTime) -> bool:
        """Write a success as the last write of its transaction; False if the attempt is lost."""
        return not await self.write_in_transaction(session, [outcome], clock_time)

    async def write_in_transaction(
        self, session: Session, outcomes: Sequence[Outcome], clock_time: ClockTime
    ) -> set[str]:
        """Write successes in a transaction; return the ids of the jobs that another attempt holds,
        that ended, or whose cancellation was requested: for any of these, the caller must abort."""
        lost: set[str] = set()
        for group in _group_alike(outcomes):
            if await self._update(group, clock_time, session) < len(group):
                reached = await self._read_reached(group, session)
                lost |= set(_ids(group)) - reached.keys() or set(_ids(group))
        return lost

    async def _write(self, group: Sequence[Outcome], clock_time: ClockTime) -> int:
        """Write one group; a write outside a transaction waits for locked jobs."""
        fails = group[0].transition is TransitionName.FAIL
        if not fails and self._timeout_s is None:
            return await self._write_or_stop(group, clock_time)

        async def body(session: Session) -> int:
            matched = await self._write_or_stop(group, clock_time, session)
            if fails:
                await self._record_failures(session, group)
            return matched

        return await run_shielded_transaction(self._mongo, body, self._timeout_s or TIMEOUT_S)

    async def _write_or_stop(
        self, group: Sequence[Outcome], clock_time: ClockTime, session: Session | None = None
    ) -> int:
        """Write outcomes, or stop the jobs whose cancellation was requested.

        The two writes leave no gap: a cancel request is never withdrawn, so a job skipped by the
        first write is matched by the second. Returns the number of jobs that reached the target.
        """
        matched = await self._update(group, clock_time, session)
        if matched < len(group) and TRANSITIONS[group[0].transition].yields_to_cancel:
            await self._stop_canceled(group, clock_time, session)
        return matched

    async def _update(
        self, group: Sequence[Outcome], clock_time: ClockTime, session: Session | None = None
    ) -> int:
        changed = await self._jobs.update_many(
            transitions.guard(group[0].transition, _ids(group), group[0].attempt),
            _pipeline(group, clock_time),
            session=session,
        )
        return changed.matched_count

    async def _stop_canceled(
        self, group: Sequence[Outcome], clock_time: ClockTime, session: Session | None
    ) -> None:
        at = transitions.now(clock_time)
        await self._jobs.update_many(
            transitions.cancel_requested_guard(_ids(group), group[0].attempt),
            transitions.pipeline(TransitionName.STOP, at, retention_ms=group[0].retention_ms),
            session=session,
        )

    async def _record_failures(self, session: Session, group: Sequence[Outcome]) -> None:
        """Insert the failures of jobs, in the transaction that fails them."""
        attempts = {outcome.job_id: outcome.attempt for outcome in group}
        failed = self._jobs.find(
            {
                "_id": {"$in": list(attempts)},
                "state": JobState.FAILED.value,
                "attempt": group[0].attempt,
            },
            {"timeline": 0, "result": 0},
            session=session,
        )
        jobs = await failed.to_list(None)
        if jobs:
            known = self._mongo[FAILURES].find(
                {"_id": {"$in": list(attempts)}}, {"_id": 1}, session=session
            )
            recorded = {found["_id"] for found in await known.to_list(None)}
            new = [job for job in jobs if job["_id"] not in recorded]
            if new:
                await self._insert_failures(session, new)

    async def _insert_failures(self, session: Session, jobs: Sequence[Document]) -> None:
        first_times = await self._read_first_times(session, jobs)
        failures = [_failure_document(job, first_times.get(job["_id"])) for job in jobs]
        await self._mongo[FAILURES].insert_many(failures, session=session)
        hook_jobs = [
            hook_job
            for job, failure in zip(jobs, failures, strict=True)
            if self._hook_jobs and (hook_job := self._hook_jobs.build(failure, job))
        ]
        hook_jobs += await self._poisoned.build_checks(session, jobs)
        if hook_jobs:
            await self._jobs.insert_many(hook_jobs, session=session)

    async def _read_first_times(
        self, session: Session, jobs: Sequence[Document]
    ) -> dict[str, datetime]:
        """Return when jobs failed with a similar error before a manual retry, which has deleted
        that failure: the timeline still contains it."""
        errors = {job["_id"]: job["error"] for job in jobs if job["attempt"] > 1}
        if not errors:
            return {}
        pipeline: list[Document] = [
            {"$match": {"_id": {"$in": list(errors)}}},
            {"$project": {"failed": _FAILED_EVENTS}},
            {"$match": {"failed.1": {"$exists": True}}},
        ]
        found = await self._jobs.aggregate(pipeline, session=session).to_list(None)
        return {job["_id"]: first_failure(job["failed"], errors[job["_id"]]) for job in found}

    async def _read_reached(
        self, group: Sequence[Outcome], session: Session | None = None
    ) -> dict[str, JobState]:
        """Return the jobs whose state is a target of the write; the other attempts were lost."""
        reached = [TRANSITIONS[group[0].transition].target.value]
        if session is None:  # in a transaction, only another writer can have canceled it
            reached.append(JobState.CANCELED.value)
        found = self._jobs.find(
            {"_id": {"$in": _ids(group)}, "attempt": group[0].attempt, "state": {"$in": reached}},
            {"state": 1},
            session=session,
        )
        return {job["_id"]: JobState(job["state"]) for job in await found.to_list(None)}

    def _report(self, written: Iterable[Outcome]) -> None:
        """Log failures, and count them and the successes."""
        for outcome in written:
            if outcome.error is not None:
                self._failure_log.write(_failed_attempt(outcome, outcome.error))
            elif outcome.transition is TransitionName.SUCCEED:
                self._failure_log.count_success(outcome.function_name)


def _ids(group: Sequence[Outcome]) -> list[str]:
    return [outcome.job_id for outcome in group]


def _group_alike(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Group outcomes that can share a write, up to LOOKUP_BATCH_SIZE per group."""
    alike: dict[Any, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kind = (outcome.progress is None, outcome.due_at is None)
        alike[outcome.transition, outcome.attempt, outcome.retention_ms, kind].append(outcome)
    return [
        group[start : start + LOOKUP_BATCH_SIZE]
        for group in alike.values()
        for start in range(0, len(group), LOOKUP_BATCH_SIZE)
    ]


def _pipeline(group: Sequence[Outcome], clock_time: ClockTime) -> transitions.Pipeline:
    """Build a group's update; the transition determines the fields."""
    name, at = group[0].transition, transitions.now(clock_time)
    transition = TRANSITIONS[name]
    fields: dict[str, Any] = {}
    event: dict[str, Any] = {}
    if group[0].progress is not None:
        fields["progress"] = _each(group, [outcome.progress for outcome in group])
    if transition.carries_result:
        fields["result"] = _each(group, [escape(outcome.result) for outcome in group])
    if transition.carries_error:
        fields["error"] = event["error"] = _each(group, [outcome.error for outcome in group])
    if transition.due is Due.LATER:
        fields["scheduledTime"] = event["nextRunAt"] = _due(group, at)
    return transitions.pipeline(name, at, fields, event, group[0].retention_ms)


def _due(group: Sequence[Outcome], at: transitions.Expression) -> transitions.Expression:
    if group[0].due_at is not None:
        latest = {"$add": [at, MAX_DELAY_MS]}
        return {"$min": [_each(group, [outcome.due_at for outcome in group]), latest]}
    return {"$add": [at, _each(group, [outcome.delay_ms for outcome in group])]}


def _each(group: Sequence[Outcome], values: Sequence[object]) -> transitions.Expression:
    """Build the expression for each job's value; a shared value is a literal."""
    first = values[0]
    if all(value is first for value in values):  # not equality: [1] == [True]
        return transitions.literal(first)
    return transitions.value_by_id(_ids(group), values)


def _failed_attempt(outcome: Outcome, error: Document) -> FailedAttempt:
    will_retry = TRANSITIONS[outcome.transition].target is JobState.PENDING
    return FailedAttempt(
        function_name=outcome.function_name,
        job_id=outcome.job_id,
        attempt=outcome.attempt,
        error=error,
        retry_in_ms=outcome.delay_ms if will_retry else None,
        retry_at=outcome.due_at,
    )


_FAILED_EVENTS: Final[Document] = {
    "$map": {
        "input": {
            "$filter": {
                "input": "$timeline",
                "cond": {"$eq": ["$$this.state", JobState.FAILED.value]},
            }
        },
        "in": {"at": "$$this.at", "name": "$$this.error.name", "message": "$$this.error.message"},
    }
}


def _failure_document(job: Document, first_at: datetime | None) -> Document:
    return NewFailure(
        id=job["_id"],
        job_id=job["_id"],
        first_at=first_at,
        owner=job["owner"],
        function_name=job["functionName"],
        error=job["error"],
        data=job["args"],
        attempts=job["attempt"],
        at=job["completedAt"],
    ).document()
