"""Lets quick mutation functions share a transaction: one commit for those that wait together.

Each runs in its own task, in turn, on one session. If one of them fails, nothing of the shared
transaction is kept, and the others take part in another; the more often that happens, the fewer
share.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeVar

from ostinato.jobs.async_wait import DeadlineExceeded
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    Mongo,
    MongoError,
    Session,
    is_transient,
    is_transient_transaction_error,
)
from ostinato.jobs.mongo.completions import Completions, Outcome
from ostinato.jobs.mongo.transaction import (
    MAX_QUEUE_TIME_S,
    Body,
    Contended,
    Deadline,
    begin,
    commit,
    conflict_lock,
    run_transaction,
)

T = TypeVar("T")

MAX_MEMBERS: Final = 50
MAX_CONCURRENT_BATCHES: Final = 2  # one commits while the other runs
TURNS_TIMEOUT_S: Final = (
    0.25  # after which nobody gets a turn any more: the others wait for the commit
)
MAX_CONFLICTS: Final = 3  # then it meets them alone: each time, its neighbours begin anew
GROWTH: Final = 5  # after a commit, as many more may share; after an abort, half as many
FIRST_PAUSE_S: Final = 0.005
MAX_PAUSE_S: Final = 0.1


class _Decision(Enum):
    COMMITTED = auto()
    RETRY = auto()
    SOLO = auto()


class _BatchResult(Enum):
    COMMITTED = auto()
    FAILED = auto()
    CONFLICTED = auto()


def _future() -> "asyncio.Future[T]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _Member:
    turn: "asyncio.Future[Session]" = field(default_factory=_future)
    done: "asyncio.Future[bool]" = field(default_factory=_future)
    """Whether the body has run to its end; False as well if its caller went away."""
    decision: "asyncio.Future[_Decision]" = field(default_factory=_future)
    session: Session | None = None
    is_first: bool = True
    """Whether nobody in the transaction had written before it."""
    conflicted: bool = False
    """Whether its own body did, rather than another's or the commit."""
    was_busy: bool = False

    @property
    def was_waiting(self) -> bool:
        """Tell whether it went away while it waited for others, or for the database."""
        return self.session is None or self.has_run or self.was_busy

    @property
    def has_run(self) -> bool:
        """Tell whether its body has come to its end, and the transaction was not cancelled."""
        return self.done.done() and not self.done.cancelled() and self.done.result()


@dataclass(slots=True, eq=False)
class _Batch:
    """One transaction and who is in it."""

    session: Session
    members: list[_Member] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    offset_ms: int = 0


class TransactionBatcher:
    """Runs bodies like `run_transaction`, several to a transaction."""

    def __init__(self, mongo: Mongo, completions: Completions) -> None:
        self._mongo = mongo
        self._completions = completions
        self._waiting: deque[_Member] = deque()
        self._runners: set[asyncio.Task[None]] = set()
        self._open: dict[int, _Batch] = {}  # by the session's identity: it has no hash
        self._size = MAX_MEMBERS
        self._is_closing = False

    async def run(self, body: Body[T], timeout_s: float) -> T:
        """Commit what `body` does, exactly once, or raise and leave nothing.

        The body runs again if somebody it shared with failed. Raises like `run_transaction`.
        """
        began, timeout = time.monotonic(), asyncio.timeout(timeout_s)
        member, decision = _Member(), _Decision.RETRY
        result: tuple[T] | None = None
        attempts = conflicts = 0
        try:
            async with timeout:
                deadline = Deadline(timeout, MAX_QUEUE_TIME_S)
                while decision is _Decision.RETRY and conflicts < MAX_CONFLICTS:
                    member, attempts = _Member(), attempts + 1
                    decision, result = await self._join_batch(member, body, deadline)
                    conflicts += member.conflicted
        except Exception as error:  # a user's body may turn the timeout into anything
            if not timeout.expired():
                raise
            was_blocked = attempts > 1 or member.was_waiting or self._was_unavailable_since(began)
            late = Contended if was_blocked else DeadlineExceeded
            raise late(f"no commit within {timeout_s} s") from error
        if result is not None:
            return result[0]
        # With all of its time: what the others took of it was no fault of its own.
        queue_time_s = deadline.queue_time_s
        return await run_transaction(self._mongo, body, timeout_s, queue_time_s=queue_time_s)

    async def finish(self, session: Session, outcome: Outcome, offset_ms: int) -> bool:
        """Write how an attempt ended as the last write of its transaction, shared or not; False
        if the attempt is lost. In a shared one, that is known when all have had their turn."""
        batch = self._open.get(id(session))
        if batch is None:
            return not await self._completions.write_in_transaction(session, [outcome], offset_ms)
        batch.outcomes.append(outcome)
        batch.offset_ms = offset_ms
        return True

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        self._is_closing = True
        await asyncio.gather(*self._runners, return_exceptions=True)

    def _ensure_runner(self) -> None:
        if len(self._runners) < MAX_CONCURRENT_BATCHES:
            runner = asyncio.create_task(self._run_batches(), name="shared-transactions")
            self._runners.add(runner)
            runner.add_done_callback(self._runner_done)

    def _runner_done(self, runner: "asyncio.Task[None]") -> None:
        """Go on with those who wait if somebody cancelled it, perhaps before its first step."""
        self._runners.discard(runner)
        if runner.cancelled() and self._waiting and not self._is_closing:
            self._ensure_runner()

    def _was_unavailable_since(self, began: float) -> bool:
        return self._mongo.primary_monitor.was_unavailable_since(began)

    async def _join_batch(
        self, member: _Member, body: Body[T], deadline: Deadline
    ) -> tuple[_Decision, tuple[T] | None]:
        self._waiting.append(member)
        self._ensure_runner()
        try:
            member.session = await deadline.wait_in_queue(member.turn)
            result = await body(member.session)
            deadline.check()
            if not member.done.done():
                member.done.set_result(True)
        except Exception as error:
            deadline.check()
            if is_transient_transaction_error(error):
                member.conflicted = True
                return _Decision.RETRY, None
            if member.is_first:
                raise
            # What made it fail may be a write before it, of which nothing will be kept.
            return _Decision.SOLO, None
        finally:
            if member.session is not None:
                member.was_busy = self._mongo.sessions.was_abandoned(member.session)
            if not member.done.done():
                member.done.set_result(False)
        decision = await member.decision
        return decision, (result,) if decision is _Decision.COMMITTED else None

    async def _run_batches(self) -> None:
        last, pause_s = _BatchResult.COMMITTED, FIRST_PAUSE_S
        try:
            while self._waiting:
                async with conflict_lock(self._mongo, last is _BatchResult.CONFLICTED):
                    last = await self._run_next_batch()
                self._resize(last)
                if last is not _BatchResult.CONFLICTED:
                    pause_s = FIRST_PAUSE_S
                    continue
                await asyncio.sleep(pause_s * random.random())
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
        except Exception as error:  # whatever it is, it belongs to those who wait
            _fail_waiting(self._waiting, error)
            self._waiting.clear()
        finally:  # at once: who comes next must find no conductor that has nothing left to do
            self._runners -= {asyncio.current_task()}

    async def _run_next_batch(self) -> _BatchResult:
        group = self._next_group()
        try:
            return await self._run_batch(group)
        finally:  # those who had no turn
            self._waiting.extendleft(reversed(group))

    def _next_group(self) -> deque[_Member]:
        """Choose who may take part: only those whose claim the transaction's snapshot will have."""
        size = min(len(self._waiting), self._size)
        return deque(self._waiting.popleft() for _ in range(size))

    def _resize(self, last: _BatchResult) -> None:
        if last is _BatchResult.COMMITTED:
            self._size = min(self._size + GROWTH, MAX_MEMBERS)
        else:
            self._size = max(self._size // 2, 1)

    async def _run_batch(self, group: deque[_Member]) -> _BatchResult:
        """Run a transaction and tell its members what became of it."""
        async with self._mongo.sessions.open() as session:
            batch = self._open[id(session)] = _Batch(session)
            try:
                begin(session)
                if await self._run_members(batch, group) and await self._write(batch):
                    await commit(self._mongo, session)
                    _decide(batch.members, _Decision.COMMITTED)
                    return _BatchResult.COMMITTED
                await self._mongo.sessions.abort(session)
            except (MongoError, *ENCODING_ERRORS) as error:
                _decide(batch.members, _decision_after(error))
                return _BatchResult.CONFLICTED
            finally:
                del self._open[id(session)]
                _decide(batch.members, _Decision.RETRY)
        has_met = any(member.conflicted for member in batch.members)
        return _BatchResult.CONFLICTED if has_met else _BatchResult.FAILED

    async def _run_members(self, batch: _Batch, group: deque[_Member]) -> bool:
        """Let them run one after another, as long as there is time; False if one failed."""
        until = time.monotonic() + TURNS_TIMEOUT_S
        while group and time.monotonic() < until:
            member = group.popleft()
            if member.turn.done():  # it went away before its turn
                continue
            member.is_first = not batch.members
            batch.members.append(member)
            member.turn.set_result(batch.session)
            if not await member.done:
                return False
            await self._mongo.sessions.wait_idle(batch.session)
        return True

    async def _write(self, batch: _Batch) -> bool:
        """Write how all ended; False if an attempt was lost: on its own, it will see that."""
        session, outcomes = batch.session, batch.outcomes
        return not await self._completions.write_in_transaction(session, outcomes, batch.offset_ms)


def _decision_after(error: Exception) -> _Decision | Exception:
    """Tell what becomes of those whose transaction met an error at its end."""
    if is_transient_transaction_error(error):
        return _Decision.RETRY
    # What MongoDB refuses may be of one of them only: alone, it harms no other.
    return error if is_transient(error) else _Decision.SOLO


def _fail_waiting(members: Iterable[_Member], error: Exception) -> None:
    for member in members:
        if not member.turn.done():
            member.turn.set_exception(error)


def _decide(members: Sequence[_Member], decision: _Decision | Exception) -> None:
    """Tell those who have no verdict yet; an error only if they wait for one."""
    for member in members:
        if member.decision.done():
            continue
        if isinstance(decision, _Decision):
            member.decision.set_result(decision)
        elif member.has_run:
            member.decision.set_exception(decision)
