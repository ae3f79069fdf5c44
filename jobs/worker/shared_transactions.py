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

from ostinato.jobs.mongo.client import (
    Mongo,
    MongoError,
    NotEncodable,
    Session,
    is_transient,
    may_pass,
)
from ostinato.jobs.mongo.completions import Completions, Outcome
from ostinato.jobs.mongo.line import IN_LINE_S, Line
from ostinato.jobs.mongo.transaction import Body, Contended, begin, commit, run_transaction, turn_of
from ostinato.jobs.waiting import DeadlineExceeded

T = TypeVar("T")

MEMBERS_AT_MOST: Final = 50
SHARED_AT_ONCE: Final = 2  # one commits while the other runs
TURNS_S: Final = 0.25  # after which nobody gets a turn any more: the others wait for the commit
RIVALS_AT_MOST: Final = 3  # then it meets them alone: each time, its neighbours begin anew
GROWTH: Final = 5  # after a commit, as many more may share; after an abort, half as many
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.1


class _Verdict(Enum):
    COMMITTED = auto()
    AGAIN = auto()
    ALONE = auto()


class _End(Enum):
    KEPT = auto()
    FAILED = auto()
    MET_RIVAL = auto()


def _future() -> "asyncio.Future[T]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _Member:
    turn: "asyncio.Future[Session]" = field(default_factory=_future)
    done: "asyncio.Future[bool]" = field(default_factory=_future)
    """Whether the body has run to its end; False as well if its caller went away."""
    verdict: "asyncio.Future[_Verdict]" = field(default_factory=_future)
    session: Session | None = None
    is_first: bool = True
    """Whether nobody in the transaction had written before it."""
    met_rival: bool = False
    """Whether its own body did, rather than another's or the commit."""
    was_busy: bool = False

    @property
    def was_kept(self) -> bool:
        """Tell whether it went away while it waited for others, or for the database."""
        return self.session is None or self.has_run or self.was_busy

    @property
    def has_run(self) -> bool:
        """Tell whether its body has come to its end, and the transaction was not cancelled."""
        return self.done.done() and not self.done.cancelled() and self.done.result()


@dataclass(slots=True, eq=False)
class _Shared:
    """One transaction and who is in it."""

    session: Session
    members: list[_Member] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    offset_ms: int = 0


class SharedTransactions:
    """Runs bodies like `run_transaction`, several to a transaction."""

    def __init__(self, mongo: Mongo, completions: Completions) -> None:
        self._mongo = mongo
        self._completions = completions
        self._waiting: deque[_Member] = deque()
        self._conductors: set[asyncio.Task[None]] = set()
        self._open: dict[int, _Shared] = {}  # by the session's identity: it has no hash
        self._size = MEMBERS_AT_MOST
        self._is_closing = False

    async def run(self, body: Body[T], deadline_s: float) -> T:
        """Commit what `body` does, exactly once, or raise and leave nothing.

        The body runs again if somebody it shared with failed. Raises like `run_transaction`.
        """
        began, deadline = time.monotonic(), asyncio.timeout(deadline_s)
        member, verdict = _Member(), _Verdict.AGAIN
        result: tuple[T] | None = None
        tries = rivals = 0
        try:
            async with deadline:
                line = Line(deadline, IN_LINE_S)
                while verdict is _Verdict.AGAIN and rivals < RIVALS_AT_MOST:
                    member, tries = _Member(), tries + 1
                    verdict, result = await self._take_part(member, body, line)
                    rivals += member.met_rival
        except Exception as error:  # a user's body may turn the timeout into anything
            if not deadline.expired():
                raise
            is_hindered = tries > 1 or member.was_kept or self._was_away_since(began)
            late = Contended if is_hindered else DeadlineExceeded
            raise late(f"no commit within {deadline_s} s") from error
        if result is not None:
            return result[0]
        # With all of its time: what the others took of it was no fault of its own.
        return await run_transaction(self._mongo, body, deadline_s, in_line_s=line.left_s)

    async def finish(self, session: Session, outcome: Outcome, offset_ms: int) -> bool:
        """Write how an attempt ended as the last write of its transaction, shared or not; False
        if the attempt is lost. In a shared one, that is known when all have had their turn."""
        shared = self._open.get(id(session))
        if shared is None:
            return not await self._completions.write_in(session, [outcome], offset_ms)
        shared.outcomes.append(outcome)
        shared.offset_ms = offset_ms
        return True

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        self._is_closing = True
        await asyncio.gather(*self._conductors, return_exceptions=True)

    def _need_conductor(self) -> None:
        if len(self._conductors) < SHARED_AT_ONCE:
            conductor = asyncio.create_task(self._conduct(), name="shared-transactions")
            self._conductors.add(conductor)
            conductor.add_done_callback(self._conducted)

    def _conducted(self, conductor: "asyncio.Task[None]") -> None:
        """Go on with those who wait if somebody cancelled it, perhaps before its first step."""
        self._conductors.discard(conductor)
        if conductor.cancelled() and self._waiting and not self._is_closing:
            self._need_conductor()

    def _was_away_since(self, began: float) -> bool:
        return self._mongo.availability.was_away_since(began)

    async def _take_part(
        self, member: _Member, body: Body[T], line: Line
    ) -> tuple[_Verdict, tuple[T] | None]:
        self._waiting.append(member)
        self._need_conductor()
        try:
            member.session = await line.wait(member.turn)
            result = await body(member.session)
            line.require_time()
            if not member.done.done():
                member.done.set_result(True)
        except Exception as error:
            line.require_time()
            if is_transient(error):
                member.met_rival = True
                return _Verdict.AGAIN, None
            if member.is_first:
                raise
            # What made it fail may be a write before it, of which nothing will be kept.
            return _Verdict.ALONE, None
        finally:
            if member.session is not None:
                member.was_busy = self._mongo.sessions.was_left(member.session)
            if not member.done.done():
                member.done.set_result(False)
        verdict = await member.verdict
        return verdict, (result,) if verdict is _Verdict.COMMITTED else None

    async def _conduct(self) -> None:
        end, pause_s = _End.KEPT, FIRST_PAUSE_S
        try:
            while self._waiting:
                async with turn_of(self._mongo, end is _End.MET_RIVAL):
                    end = await self._share_next()
                self._resize(end)
                if end is not _End.MET_RIVAL:
                    pause_s = FIRST_PAUSE_S
                    continue
                await asyncio.sleep(pause_s * random.random())
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        except Exception as error:  # whatever it is, it belongs to those who wait
            _refuse(self._waiting, error)
            self._waiting.clear()
        finally:  # at once: who comes next must find no conductor that has nothing left to do
            self._conductors -= {asyncio.current_task()}

    async def _share_next(self) -> _End:
        group = self._next_group()
        try:
            return await self._share(group)
        finally:  # those who had no turn
            self._waiting.extendleft(reversed(group))

    def _next_group(self) -> deque[_Member]:
        """Choose who may take part: only those whose claim the transaction's snapshot will have."""
        size = min(len(self._waiting), self._size)
        return deque(self._waiting.popleft() for _ in range(size))

    def _resize(self, end: _End) -> None:
        if end is _End.KEPT:
            self._size = min(self._size + GROWTH, MEMBERS_AT_MOST)
        else:
            self._size = max(self._size // 2, 1)

    async def _share(self, group: deque[_Member]) -> _End:
        """Run a transaction and tell its members what became of it."""
        async with self._mongo.sessions.opened() as session:
            shared = self._open[id(session)] = _Shared(session)
            try:
                begin(session)
                if await self._give_turns(shared, group) and await self._write(shared):
                    await commit(self._mongo, session)
                    _tell(shared.members, _Verdict.COMMITTED)
                    return _End.KEPT
                await self._mongo.sessions.abort(session)
            except (MongoError, *NotEncodable) as error:
                _tell(shared.members, _verdict_after(error))
                return _End.MET_RIVAL
            finally:
                del self._open[id(session)]
                _tell(shared.members, _Verdict.AGAIN)
        has_met = any(member.met_rival for member in shared.members)
        return _End.MET_RIVAL if has_met else _End.FAILED

    async def _give_turns(self, shared: _Shared, group: deque[_Member]) -> bool:
        """Let them run one after another, as long as there is time; False if one failed."""
        until = time.monotonic() + TURNS_S
        while group and time.monotonic() < until:
            member = group.popleft()
            if member.turn.done():  # it went away before its turn
                continue
            member.is_first = not shared.members
            shared.members.append(member)
            member.turn.set_result(shared.session)
            if not await member.done:
                return False
            await self._mongo.sessions.quiet(shared.session)
        return True

    async def _write(self, shared: _Shared) -> bool:
        """Write how all ended; False if an attempt was lost: on its own, it will see that."""
        session, outcomes = shared.session, shared.outcomes
        return not await self._completions.write_in(session, outcomes, shared.offset_ms)


def _verdict_after(error: Exception) -> _Verdict | Exception:
    """Tell what becomes of those whose transaction met an error at its end."""
    if is_transient(error):
        return _Verdict.AGAIN
    # What MongoDB refuses may be of one of them only: alone, it harms no other.
    return error if may_pass(error) else _Verdict.ALONE


def _refuse(members: Iterable[_Member], error: Exception) -> None:
    for member in members:
        if not member.turn.done():
            member.turn.set_exception(error)


def _tell(members: Sequence[_Member], verdict: _Verdict | Exception) -> None:
    """Tell those who have no verdict yet; an error only if they wait for one."""
    for member in members:
        if member.verdict.done():
            continue
        if isinstance(verdict, _Verdict):
            member.verdict.set_result(verdict)
        elif member.has_run:
            member.verdict.set_exception(verdict)
