"""Shared transactions: fast mutation functions run in one transaction and share its commit.

Each body runs in its own task, sequentially, on one session. If one fails, the transaction aborts
and the others are rerun in the next one; the number of members halves after each abort.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeVar

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.timeouts import DeadlineExceeded
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    Mongo,
    MongoError,
    Session,
    is_transient,
    is_transient_transaction_error,
)
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.outcomes import OutcomeStore
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
from ostinato.jobs.outcome import Outcome

T = TypeVar("T")

MAX_MEMBERS: Final = 50
MAX_CONCURRENT_TRANSACTIONS: Final = 2  # one commits while the other runs
TURNS_TIMEOUT_S: Final = 0.25
"""No body starts later, because the first body's caller is waiting for the commit."""
MAX_CONFLICTS: Final = 3  # after this, a body runs alone: each conflict restarts all members
GROWTH: Final = 5  # added to the number of members after a commit; an abort halves it
FIRST_PAUSE_S: Final = 0.005
MAX_PAUSE_S: Final = 0.1


class _Decision(Enum):
    COMMITTED = auto()
    RETRY = auto()
    SOLO = auto()


class _TransactionResult(Enum):
    COMMITTED = auto()
    FAILED = auto()
    """A body failed, or an attempt was lost."""
    ABORTED = auto()
    """By MongoDB, because of a conflict or another error: pause before the next transaction."""


def _future() -> "asyncio.Future[T]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _Member:
    turn: "asyncio.Future[Session]" = field(default_factory=_future)
    done: "asyncio.Future[bool]" = field(default_factory=_future)
    """Whether the body has completed; also False if its caller was canceled."""
    decision: "asyncio.Future[_Decision]" = field(default_factory=_future)
    session: Session | None = None
    is_first: bool = True
    """Whether it ran first in its transaction."""
    conflicted: bool = False
    """Whether its own body conflicted, rather than another body or the commit."""
    was_abandoned: bool = False
    """Whether its caller was canceled while its body waited for the database."""

    @property
    def timed_out_while_waiting(self) -> bool:
        """Return whether it timed out while waiting for other members or for the database."""
        return self.session is None or self.has_run or self.was_abandoned

    @property
    def has_run(self) -> bool:
        """Return whether its body has completed."""
        return self.done.done() and not self.done.cancelled() and self.done.result()


@dataclass(slots=True, eq=False)
class _SharedTransaction:
    """One transaction and its members."""

    session: Session
    members: list[_Member] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    clock_time: ClockTime = 0


class SharedTransactions:
    """Like `run_transaction`, with several bodies in one transaction."""

    def __init__(self, mongo: Mongo, outcome_store: OutcomeStore) -> None:
        self._mongo = mongo
        self._outcome_store = outcome_store
        self._waiting: deque[_Member] = deque()
        self._runners: set[asyncio.Task[None]] = set()
        self._open: dict[int, _SharedTransaction] = {}  # by id(session), which is unhashable
        self._max_members = MAX_MEMBERS
        self._is_closing = False

    async def run(self, body: Body[T], timeout_s: float) -> T:
        """Commit the writes of `body` exactly once, or raise and write nothing.

        The body is rerun if another member of its transaction fails. Raises like `run_transaction`.
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
                    decision, result = await self._join(member, body, deadline)
                    conflicts += member.conflicted
        except Exception as error:  # a user's body may turn the timeout into any other error
            if not timeout.expired():
                raise
            was_blocked = (
                attempts > 1 or member.timed_out_while_waiting or self._was_unavailable_since(began)
            )
            error_class = Contended if was_blocked else DeadlineExceeded
            raise error_class(f"no commit within {timeout_s} s") from error
        if result is not None:
            return result[0]
        # With the full timeout: time spent in shared transactions does not count.
        queue_time_s = deadline.queue_time_s
        return await run_transaction(self._mongo, body, timeout_s, queue_time_s=queue_time_s)

    async def finish(self, session: Session, outcome: Outcome, clock_time: ClockTime) -> bool:
        """Write an outcome as the last write of its transaction; False if the attempt is lost.

        A shared transaction writes all outcomes after the last body; then this returns True.
        """
        shared = self._open.get(id(session))
        if shared is None:
            return await self._outcome_store.write_last(session, outcome, clock_time)
        shared.outcomes.append(outcome)
        shared.clock_time = clock_time
        return True

    async def close(self) -> None:
        """Wait for the transactions in progress."""
        self._is_closing = True
        await asyncio.gather(*self._runners, return_exceptions=True)

    def _ensure_runner(self) -> None:
        if len(self._runners) < MAX_CONCURRENT_TRANSACTIONS:
            runner = asyncio.create_task(self._run_transactions(), name="shared transaction")
            self._runners.add(runner)
            runner.add_done_callback(self._runner_done)

    def _runner_done(self, runner: "asyncio.Task[None]") -> None:
        """Start another runner if this one was canceled while members wait."""
        self._runners.discard(runner)
        if runner.cancelled() and self._waiting and not self._is_closing:
            self._ensure_runner()

    def _was_unavailable_since(self, began: float) -> bool:
        return self._mongo.primary_monitor.was_unavailable_since(began)

    async def _join(
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
            # An earlier body's write, which is rolled back, may have caused this.
            return _Decision.SOLO, None
        finally:
            if member.session is not None:
                member.was_abandoned = self._mongo.sessions.was_abandoned(member.session)
            if not member.done.done():
                member.done.set_result(False)
        decision = await member.decision
        return decision, (result,) if decision is _Decision.COMMITTED else None

    async def _run_transactions(self) -> None:
        last = _TransactionResult.COMMITTED
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S, jitter=(0, 1))
        try:
            while self._waiting:
                async with conflict_lock(self._mongo, last is _TransactionResult.ABORTED):
                    last = await self._run_next()
                self._resize(last)
                if last is not _TransactionResult.ABORTED:
                    backoff.reset()
                    continue
                await backoff.wait()
        except Exception as error:  # of any class: the waiting callers must receive it
            _fail_waiting(self._waiting, error)
            self._waiting.clear()
        finally:  # immediately: a new member must not rely on an ending runner
            self._runners -= {asyncio.current_task()}

    async def _run_next(self) -> _TransactionResult:
        group = self._next_group()
        try:
            return await self._run_transaction(group)
        finally:  # requeue members that did not run
            self._waiting.extendleft(reversed(group))

    def _next_group(self) -> deque[_Member]:
        """Dequeue the next members, whose claims precede the transaction's snapshot."""
        size = min(len(self._waiting), self._max_members)
        return deque(self._waiting.popleft() for _ in range(size))

    def _resize(self, last: _TransactionResult) -> None:
        if last is _TransactionResult.COMMITTED:
            self._max_members = min(self._max_members + GROWTH, MAX_MEMBERS)
        else:
            self._max_members = max(self._max_members // 2, 1)

    async def _run_transaction(self, group: deque[_Member]) -> _TransactionResult:
        """Run one transaction and set the decision of each member."""
        async with self._mongo.sessions.open() as session:
            shared = self._open[id(session)] = _SharedTransaction(session)
            try:
                begin(session)
                if await self._run_members(shared, group) and await self._write(shared):
                    await commit(self._mongo, session)
                    _decide(shared.members, _Decision.COMMITTED)
                    return _TransactionResult.COMMITTED
                await self._mongo.sessions.abort(session)
            except (MongoError, *ENCODING_ERRORS) as error:
                _decide(shared.members, _decision_after(error))
                return _TransactionResult.ABORTED
            finally:
                del self._open[id(session)]
                _decide(shared.members, _Decision.RETRY)
        has_conflicted = any(member.conflicted for member in shared.members)
        return _TransactionResult.ABORTED if has_conflicted else _TransactionResult.FAILED

    async def _run_members(self, shared: _SharedTransaction, group: deque[_Member]) -> bool:
        """Run the bodies sequentially until TURNS_TIMEOUT_S; returns False if one failed."""
        deadline = time.monotonic() + TURNS_TIMEOUT_S
        while group and time.monotonic() < deadline:
            member = group.popleft()
            if member.turn.done():  # its caller was canceled
                continue
            member.is_first = not shared.members
            shared.members.append(member)
            member.turn.set_result(shared.session)
            if not await member.done:
                return False
            await self._mongo.sessions.wait_idle(shared.session)
        return True

    async def _write(self, shared: _SharedTransaction) -> bool:
        """Write all outcomes; returns False if an attempt is lost, which its solo run detects."""
        session, outcomes = shared.session, shared.outcomes
        return not await self._outcome_store.write_in_transaction(
            session, outcomes, shared.clock_time
        )


def _decision_after(error: Exception) -> _Decision | Exception:
    """Return the decision for the members of a transaction that failed at its commit."""
    if is_transient_transaction_error(error):
        return _Decision.RETRY
    # MongoDB may have rejected only one member's writes: run alone, they affect no other.
    return error if is_transient(error) else _Decision.SOLO


def _fail_waiting(members: Iterable[_Member], error: Exception) -> None:
    for member in members:
        if not member.turn.done():
            member.turn.set_exception(error)


def _decide(members: Sequence[_Member], decision: _Decision | Exception) -> None:
    """Set the decision of undecided members; an error only if their body has run."""
    for member in members:
        if member.decision.done():
            continue
        if isinstance(decision, _Decision):
            member.decision.set_result(decision)
        elif member.has_run:
            member.decision.set_exception(decision)
