"""How attempts end: outcomes that arrive together share one write per kind."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ostinato.jobs.lifecycle import MOVES, Move
from ostinato.jobs.mongo import moves
from ostinato.jobs.mongo.client import Document, Mongo, MongoRefused, Session
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.poison import Held, PoisonedJobs, is_of_a_document
from ostinato.jobs.mongo.stored_json import escape
from ostinato.jobs.mongo.transaction import DEADLINE_S, run_seen_through
from ostinato.jobs.records import JobState, Json
from ostinato.jobs.retry import MAX_DELAY_MS

LOOKUP_SIZE = 250  # a lookup costs its position in the array: larger groups are slower per job

WITH_RESULT = frozenset({Move.SUCCEED})
WITH_ERROR = frozenset({Move.RETRY, Move.FAIL, Move.LOSE})
WITH_DELAY = frozenset({Move.RETRY})
TO_PENDING = frozenset({Move.RETRY, Move.LOSE, Move.HAND_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt of a job ended. The attempt's number is its fence."""

    job_id: str
    attempt: int
    move: Move
    keep_ms: int
    """How long the job is kept if it ends by this."""
    result: Json = None
    error: Document | None = None
    """{name, message, traceback}"""
    delay_ms: int = 0
    """From now to the next attempt."""
    due_at: datetime | None = None
    """When the next attempt is due, in place of a delay."""
    progress: Document | None = None
    """How far it had come, if that has not been written yet."""


class Completions:
    """Writes outcomes, guarded by state and attempt."""

    def __init__(
        self,
        mongo: Mongo,
        within_s: float | None = None,
        poisoned: PoisonedJobs | None = None,
    ) -> None:
        """`within_s` is how long a write may wait for those who lock the jobs, if not as long as
        the driver does."""
        self._mongo = mongo
        self._jobs = mongo[JOBS]
        self._within_s = within_s
        self._poisoned = poisoned or PoisonedJobs(mongo)

    async def write(self, outcomes: Sequence[Outcome], offset_ms: int) -> set[str]:
        """Write outcomes; returns the ids of jobs whose attempt had been lost to somebody else.

        Writing the same again is harmless: the guard lets nothing through twice. Raises
        TimeoutError if somebody locks a job for too long.
        """
        lost: set[str] = set()
        for group in _grouped(outcomes):
            if await self._write(group, offset_ms) < len(group):
                lost |= await self._lost(group)
        return lost

    async def write_in_halves(self, outcomes: Sequence[Outcome], offset_ms: int) -> set[str]:
        """Write outcomes, in halves where that is refused for what a document is; the job that is
        refused alone fails. Returns the ids of jobs that not even that was written of; raises like
        `write`."""
        try:
            await self.write(outcomes, offset_ms)
            return set()
        except MongoRefused as error:
            if not is_of_a_document(error):
                raise
            if len(outcomes) == 1:
                failed = await self.fail_poisoned(outcomes[0], error, offset_ms)
                return set() if failed else {outcomes[0].job_id}
        middle = len(outcomes) // 2
        halves = outcomes[:middle], outcomes[middle:]
        first, second = [await self.write_in_halves(half, offset_ms) for half in halves]
        return first | second

    async def fail_poisoned(self, outcome: Outcome, error: Exception, offset_ms: int) -> bool:
        """Fail a job whose document refuses how its attempt ended; False if it refuses that."""
        held = Held(outcome.job_id, JobState.IN_PROGRESS, outcome.attempt)
        return await self._poisoned.fail(held, error, offset_ms)

    async def _write(self, group: Sequence[Outcome], offset_ms: int) -> int:
        """Write one group; a write that is no transaction waits for whoever has locked a job."""
        fails = group[0].move is Move.FAIL
        if not fails and self._within_s is None:
            return await self._end(group, offset_ms)

        async def body(session: Session) -> int:
            matched = await self._end(group, offset_ms, session)
            if fails:
                await self._record_failures(session, group)
            return matched

        return await run_seen_through(self._mongo, body, self._within_s or DEADLINE_S)

    async def write_in(
        self, session: Session, outcomes: Sequence[Outcome], offset_ms: int
    ) -> set[str]:
        """Write successes in a transaction; returns the ids of jobs whose attempt has been lost,
        or whose end was asked for: if there are any, the transaction must abort."""
        lost: set[str] = set()
        for group in _grouped(outcomes):
            if await self._update(group, offset_ms, session) < len(group):
                lost |= await self._lost(group, session) or set(_ids(group))
        return lost

    async def _end(
        self, group: Sequence[Outcome], offset_ms: int, session: Session | None = None
    ) -> int:
        """Write how attempts ended, or that they stopped where that had been asked for.

        Two writes leave no gap: a request is never taken back, and what the first has passed over
        for one is the second's. Returns how many still held their jobs.
        """
        matched = await self._update(group, offset_ms, session)
        if matched < len(group) and MOVES[group[0].move].yields_to_cancel:
            matched += await self._stop_asked(group, offset_ms, session)
        return matched

    async def _update(
        self, group: Sequence[Outcome], offset_ms: int, session: Session | None = None
    ) -> int:
        changed = await self._jobs.update_many(
            moves.guard(group[0].move, _ids(group), group[0].attempt),
            _pipeline(group, offset_ms),
            session=session,
        )
        return changed.matched_count

    async def _stop_asked(
        self, group: Sequence[Outcome], offset_ms: int, session: Session | None
    ) -> int:
        stopped = await self._jobs.update_many(
            moves.guard_asked(_ids(group), group[0].attempt),
            moves.pipeline(Move.STOP, moves.now(offset_ms), keep_ms=group[0].keep_ms),
            session=session,
        )
        return stopped.matched_count

    async def _record_failures(self, session: Session, group: Sequence[Outcome]) -> None:
        """Record why jobs failed, in the transaction that fails them."""
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
        failures = [_failure(job) for job in await failed.to_list(None)]
        if failures:
            known = self._mongo[FAILURES].find(
                {"_id": {"$in": list(attempts)}}, {"_id": 1}, session=session
            )
            recorded = {found["_id"] for found in await known.to_list(None)}
            new = [failure for failure in failures if failure["_id"] not in recorded]
            if new:
                await self._mongo[FAILURES].insert_many(new, session=session)

    async def _lost(self, group: Sequence[Outcome], session: Session | None = None) -> set[str]:
        """Tell whose attempt was lost: what is not where the outcome would have put it."""
        ids = _ids(group)
        reached = [MOVES[group[0].move].target.value]
        if session is None:  # a transaction stops nobody: what is canceled there was so by others
            reached.append(JobState.CANCELED.value)
        found = self._jobs.find(
            {"_id": {"$in": ids}, "attempt": group[0].attempt, "state": {"$in": reached}},
            {"_id": 1},
            session=session,
        )
        return set(ids) - {job["_id"] for job in await found.to_list(None)}


def _ids(group: Sequence[Outcome]) -> list[str]:
    return [outcome.job_id for outcome in group]


def _grouped(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    alike: dict[Any, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kind = (outcome.progress is None, outcome.due_at is None)
        alike[outcome.move, outcome.attempt, outcome.keep_ms, kind].append(outcome)
    return [
        group[start : start + LOOKUP_SIZE]
        for group in alike.values()
        for start in range(0, len(group), LOOKUP_SIZE)
    ]


def _pipeline(group: Sequence[Outcome], offset_ms: int) -> moves.Pipeline:
    move = group[0].move
    at = moves.now(offset_ms)
    fields: dict[str, Any] = {}
    event: dict[str, Any] = {}
    if group[0].progress is not None:
        fields["progress"] = _each(group, [outcome.progress for outcome in group])
    if move in WITH_RESULT:
        fields["result"] = _each(group, [escape(outcome.result) for outcome in group])
    if move in WITH_ERROR:
        error = _each(group, [outcome.error for outcome in group])
        fields["error"] = error
        event["error"] = error
    if move in TO_PENDING:
        due = _due(group, at) if move in WITH_DELAY else at
        fields["scheduledTime"] = due
        event["nextRunAt"] = due
    return moves.pipeline(move, at, fields, event, group[0].keep_ms)


def _due(group: Sequence[Outcome], at: moves.Expression) -> moves.Expression:
    if group[0].due_at is not None:
        furthest = {"$add": [at, MAX_DELAY_MS]}
        return {"$min": [_each(group, [outcome.due_at for outcome in group]), furthest]}
    return {"$add": [at, _each(group, [outcome.delay_ms for outcome in group])]}


def _each(group: Sequence[Outcome], values: Sequence[object]) -> moves.Expression:
    """Give each job its value; a value that all share is written as it is."""
    first = values[0]
    if all(value is first for value in values):  # equality would take [1] for [True]
        return moves.literal(first)
    return moves.looked_up(_ids(group), values)


def _failure(job: Document) -> Document:
    return {
        "_id": job["_id"],
        "jobId": job["_id"],
        "owner": job["owner"],
        "functionName": job["functionName"],
        "error": job["error"],
        "data": job["args"],
        "attempts": job["attempt"],
        "at": job["completedAt"],
        "version": 1,
    }
