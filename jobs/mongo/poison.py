"""Owns what becomes of a job whose document no ordinary move can write.

It is too large, or somebody else wrote what no move expects. It must leave the due jobs and the
running ones, or it would be met again and again, and it must hold up no other job.
"""

import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pymongo.errors import OperationFailure, PyMongoError

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo import moves
from ostinato.jobs.mongo.client import Document, Mongo, NotEncodable, Session, codes_of, summary
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.transaction import run_seen_through
from ostinato.jobs.records import JobState

TOO_LARGE: Final = frozenset({10334, 17419, 17420})
OF_A_DOCUMENT: Final = frozenset({2, 9, 14, 15, 28, 52, 54, 56, 57, 66, 10334})
FIRST_LOCATION: Final = 15_000  # codes from here on are what an expression says of its operands
CLIENT_KILLED: Final = 46841
OF_A_RULE: Final = frozenset({121, 11000})
"""A validator or a unique index refuses the document: whoever made the rule may lift it again."""
MOST_IN_A_FAILURE_BYTES: Final = 1024 * 1024
ALONE_S: Final = 60.0
MOST_NAMED: Final = 100  # by the log: a rule may refuse all jobs
ALONE_AT_MOST: Final = 1_000  # heartbeats carry their ids
MESSAGE_CHARACTERS: Final = 512
MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a document raises that somebody else has written."""

K = TypeVar("K", bound=Hashable)

log = get_log(__name__)


class Held(NamedTuple):
    """A job as whoever met it knows it: a move since then takes it out of reach."""

    job_id: str
    state: JobState
    attempt: int | None = None


def is_of_a_document(error: BaseException) -> bool:
    """Return whether MongoDB refused a write for what one of its documents is."""
    if not isinstance(error, OperationFailure):
        return False
    return any(map(_is_of_a_document, codes_of(error)))


def refuses_content(error: BaseException) -> bool:
    """Return whether an error refuses what was to be written, so that it is no use to repeat it.

    Any other refusal (a full disk, a missing right, a code we do not know) may pass.
    """
    return isinstance(error, NotEncodable) or is_of_a_document(error)


def _is_of_a_document(code: int | None) -> bool:
    if code in OF_A_DOCUMENT or code in OF_A_RULE:
        return True
    return code is not None and code >= FIRST_LOCATION and code != CLIENT_KILLED


async def write_in_halves(
    ids: Sequence[str], write: Callable[[Sequence[str]], Awaitable[object]]
) -> dict[str, PyMongoError]:
    """Write for all ids at once, and in halves where that is refused for what a document is;
    returns the error of each that is refused alone."""
    try:
        await write(ids)
    except OperationFailure as error:
        if not is_of_a_document(error):
            raise
        if len(ids) == 1:
            return {ids[0]: error}
        middle = len(ids) // 2
        return await write_in_halves(ids[:middle], write) | await write_in_halves(
            ids[middle:], write
        )
    return {}


class Quarantine(Generic[K]):
    """Ids that are left alone for a minute; beyond the bound the newest take the place of the
    oldest."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._until: dict[K, float] = {}

    def add(self, document_id: K) -> None:
        while len(self._until) >= self._at_most:
            del self._until[next(iter(self._until))]
        self._until[document_id] = time.monotonic() + ALONE_S

    def ids(self) -> frozenset[K]:
        if not self._until:
            return frozenset()
        now = time.monotonic()
        self._until = {each: until for each, until in self._until.items() if until > now}
        return frozenset(self._until)


class PoisonedJobs:
    """Fails such jobs by writes that ask little of their documents."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._unwritable: Quarantine[str] = Quarantine(ALONE_AT_MOST)

    def unwritable(self) -> frozenset[str]:
        """Return the jobs that could not even be failed lately: they are left alone a while."""
        return self._unwritable.ids()

    async def fail(self, held: Held, cause: Exception, offset_ms: int) -> bool:
        """Fail a job and record its failure; False if MongoDB refuses that as well."""
        if held.job_id in self.unwritable():
            return False
        error, refusal = _error_of(cause), cause
        by_rule = isinstance(cause, OperationFailure) and cause.code in OF_A_RULE
        updates = [] if by_rule else moves.failing_smaller(moves.now(offset_ms), error)
        for update in updates:
            try:
                failed = await self._fail(held, update)
            except PyMongoError as again:
                if not is_of_a_document(again):
                    raise
                refusal = again
                continue
            log.error("job.poisoned", job_id=held.job_id, failed=failed, error=_logged(cause))
            return True
        self._leave_alone(held.job_id, refusal)
        return False

    def _leave_alone(self, job_id: str, refusal: Exception) -> None:
        if len(self._unwritable.ids()) < MOST_NAMED:
            error = summary(refusal)[:MESSAGE_CHARACTERS]
            log.error("job.unwritable", job_id=job_id, for_s=ALONE_S, error=error)
        self._unwritable.add(job_id)

    async def _fail(self, held: Held, pipeline: moves.Pipeline) -> bool:
        guard: Document = {"_id": held.job_id, "state": held.state.value}
        if held.attempt is not None:
            guard["attempt"] = held.attempt

        async def body(session: Session) -> bool:
            changed = await self._mongo[JOBS].update_one(guard, pipeline, session=session)
            if changed.modified_count:
                await self._record_failure(session, held.job_id)
            return changed.modified_count == 1

        return await run_seen_through(self._mongo, body)

    async def _record_failure(self, session: Session, job_id: str) -> None:
        pipeline: list[dict[str, Any]] = [{"$match": {"_id": job_id}}, {"$project": _FAILURE}]
        (failure,) = await self._mongo[JOBS].aggregate(pipeline, session=session).to_list(None)
        where = {"_id": job_id}
        await self._mongo[FAILURES].replace_one(where, failure, upsert=True, session=session)


_SMALL_ARGS: Final = {
    "$cond": [{"$eq": [{"$type": "$args"}, "object"]}, {"$bsonSize": "$args"}, 2**31 - 1]
}
_FAILURE: Final = {
    "jobId": "$_id",
    "owner": 1,
    "functionName": 1,
    "error": 1,
    "data": {
        "$cond": [{"$lte": [_SMALL_ARGS, MOST_IN_A_FAILURE_BYTES]}, "$args", moves.literal({})]
    },
    "attempts": "$attempt",
    "at": "$completedAt",
    "version": moves.literal(1),
}


def _logged(cause: Exception) -> str:
    return (summary(cause) if isinstance(cause, PyMongoError) else str(cause))[:MESSAGE_CHARACTERS]


def _reason(cause: Exception) -> str:
    """Say what is wrong without the words of MongoDB's expressions, which the log has."""
    if isinstance(cause, OperationFailure):
        if "$concatArrays" in str(cause):
            return "timeline must be a list"
        return f"MongoDB refused to change it, error {cause.code}"
    return summary(cause) if isinstance(cause, PyMongoError) else f"{type(cause).__name__}: {cause}"


def _error_of(cause: Exception) -> Document:
    if isinstance(cause, OperationFailure) and cause.code in TOO_LARGE:
        return {
            "name": "DocumentTooLarge",
            "message": "the job's document has grown to MongoDB's limit of 16 MB, and nothing more "
            "fits into it; what was too large has been cut off: schedule a new job",
            "traceback": None,
        }
    text = _reason(cause)
    return {
        "name": "MalformedDocument",
        "message": "the job's document is not as Ostinato writes it "
        f"({text[:MESSAGE_CHARACTERS]}): schedule a new job",
        "traceback": None,
    }
