"""Runs built-in mutation functions for many jobs in one transaction, with a few commands for all.

A group first reads what its jobs will read. Then their bodies run one after another, without a
command to MongoDB: they read what the group has read, and their writes are collected and written at
the end. A job that fails or needs another command leaves the group, and runs like any other
mutation function. If the transaction aborts, its jobs try again in smaller groups.

The successes of the jobs are written after the commit: in the transaction, such a write takes
MongoDB four times as long. A job whose success was lost runs again, so only functions can run in
groups for which that has no effect.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.functions.grouped import Prefetch
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Session, is_transient_transaction_error
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.grouped_db import GroupedDatabase, GroupReads, write_group
from ostinato.jobs.mongo.transaction import TIMEOUT_S, begin, commit
from ostinato.jobs.quotas.owner_quotas import Reservation
from ostinato.jobs.records import Json
from ostinato.jobs.transactions.transactor import (
    MAX_BYTES,
    MAX_JOBS,
    ExecutionIdentity,
    TransactionJobWriter,
    Transactor,
)

MAX_MEMBERS: Final = 250
MAX_CONCURRENT_GROUPS: Final = 2  # one writes and commits while the bodies of the other run
MAX_TRIES: Final = 3  # then a job runs alone
TURNS_TIMEOUT_S: Final = 0.25
"""No body starts later, because the others wait for the commit."""

log = get_log(__name__)


class _Left(Exception):
    """A job has left its group."""


def _future() -> "asyncio.Future[Json]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False, kw_only=True)
class GroupMember:
    """A job that runs in a group."""

    identity: ExecutionIdentity
    args: Mapping[str, Any]
    body: Callable[[Context], Awaitable[Json]]
    returned: Callable[[], None]
    """Called each time the body has returned: the job needs no slot for the commit."""
    prefetch: Prefetch
    tries: int = 0
    result: "asyncio.Future[Json]" = field(default_factory=_future)
    """Set after the commit; canceled with its caller."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A job whose body has run, and what it has written."""

    member: GroupMember
    writer: TransactionJobWriter
    database: GroupedDatabase
    result: Json


@dataclass(slots=True, kw_only=True)
class _Group:
    """One transaction, and the jobs that have run in it."""

    session: Session
    reads: GroupReads
    created_at: datetime
    clock_time: ClockTime
    done: list[_Done] = field(default_factory=list)
    left: list[GroupMember] = field(default_factory=list)
    new_jobs: int = 0
    new_bytes: int = 0
    """The size of the arguments of the new jobs as JSON."""

    def add(self, done: _Done) -> None:
        self.done.append(done)
        self.new_jobs += len(done.writer.documents)
        self.new_bytes += done.writer.size_bytes

    @property
    def is_full(self) -> bool:
        return self.new_jobs >= MAX_JOBS or self.new_bytes >= MAX_BYTES


class GroupedMutations:
    """The groups of one worker."""

    def __init__(self, transactor: Transactor) -> None:
        self._transactor = transactor
        self._mongo = transactor.mongo
        self._waiting: deque[GroupMember] = deque()
        self._runners: set[asyncio.Task[None]] = set()
        self._max_members = MAX_MEMBERS

    async def run(self, member: GroupMember) -> tuple[Json] | None:
        """Run a job with others; return its result after the commit.

        None if it must run in a transaction of its own. Its writes may then have been committed.
        """
        self._waiting.append(member)
        if len(self._runners) < MAX_CONCURRENT_GROUPS:
            self._runners.add(asyncio.create_task(self._run_groups(), name="grouped mutations"))
        try:
            return (await member.result,)
        except _Left:
            return None

    async def close(self) -> None:
        """Wait for the transactions in progress."""
        await asyncio.gather(*self._runners, return_exceptions=True)

    async def _run_groups(self) -> None:
        try:
            while members := self._next_members():
                await self._run_next(members)
        finally:  # immediately: a new member must not rely on an ending runner
            self._runners -= {asyncio.current_task()}
            if not self._runners:  # members are left only if this runner was canceled
                _leave(self._waiting)
                self._waiting.clear()

    def _next_members(self) -> deque[GroupMember]:
        """Dequeue jobs of one function."""
        members: deque[GroupMember] = deque()
        while self._waiting and len(members) < self._max_members:
            if members and self._waiting[0].prefetch is not members[0].prefetch:
                break
            member = self._waiting.popleft()
            if not member.result.done():  # its caller was canceled
                members.append(member)
        return members

    async def _run_next(self, members: deque[GroupMember]) -> None:
        """Run one transaction; jobs that have not had their turn wait again."""
        tried = list(members)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                group = await self._run_transaction(members)
        except Exception as error:  # of any class: the waiting callers must not hang
            log.info("group.aborted", jobs=len(tried), error=str(error))
            self._max_members = max(1, len(tried) // 2)
            members = self._to_retry(tried, error)
        except BaseException:
            _leave(tried)
            raise
        else:
            self._max_members = min(self._max_members * 2, MAX_MEMBERS)
            _leave(group.left)
            for each in group.done:
                if not each.member.result.done():
                    each.member.result.set_result(each.result)
        self._waiting.extendleft(reversed(members))

    def _to_retry(self, tried: Iterable[GroupMember], error: Exception) -> deque[GroupMember]:
        """Return the jobs that try again after a conflict; the others run alone."""
        retried: deque[GroupMember] = deque()
        for member in tried:
            member.tries += 1
            if member.tries < MAX_TRIES and is_transient_transaction_error(error):
                retried.append(member)
            else:
                _leave([member])
        return retried

    async def _run_transaction(self, members: deque[GroupMember]) -> _Group:
        """Run and commit a group of jobs, which are removed from `members`."""
        clock = self._transactor.clock
        clock_time, created_at = await clock.read(), await clock.now()
        with ExitStack() as reservations:
            async with self._mongo.sessions.open() as session:
                begin(session)
                reads = GroupReads(self._mongo, session)
                group = _Group(
                    session=session, reads=reads, created_at=created_at, clock_time=clock_time
                )
                try:
                    await self._prefetch(group, members)
                    await self._run_bodies(group, members, reservations)
                    await self._mongo.sessions.track(session, self._write(group))
                except Exception:
                    await self._mongo.sessions.abort(session)
                    raise
                await commit(self._mongo, session)
        if group.new_jobs:
            await self._transactor.after_commit(True, frozenset())
        return group

    async def _prefetch(self, group: _Group, members: deque[GroupMember]) -> None:
        reading = members[0].prefetch(group.reads.read, [member.args for member in members])
        await self._mongo.sessions.track(group.session, reading)

    async def _run_bodies(
        self, group: _Group, members: deque[GroupMember], reservations: ExitStack
    ) -> None:
        deadline = time.monotonic() + TURNS_TIMEOUT_S
        while members and time.monotonic() < deadline and not group.is_full:
            member = members.popleft()
            if member.result.done():
                continue
            reservation = self._transactor.quotas.reserve(member.identity.owner)
            reservations.push(reservation)
            try:
                await self._run_body(group, member, reservation)
            except Exception:  # NeedsOwnTransaction, or what it will raise again alone
                reservation.give_up()
                group.left.append(member)
            else:
                member.returned()

    async def _run_body(self, group: _Group, member: GroupMember, reservation: Reservation) -> None:
        database = GroupedDatabase(self._mongo, group.session, group.reads)
        writer = TransactionJobWriter(
            store=self._transactor.store,
            database=database,
            session=group.session,
            caller=None,
            created_at=group.created_at,
            clock_time=group.clock_time,
            retention_ms=self._transactor.settings.purge_after_ms,
            reservation=reservation,
        )
        try:
            result = await member.body(self._transactor.context_for(member.identity, writer))
        finally:
            database.close()
            writer.close()
        database.apply()
        group.add(_Done(member, writer, database, result))

    async def _write(self, group: _Group) -> None:
        await write_group(self._mongo, group.session, [each.database for each in group.done])
        jobs = [job for each in group.done for job in each.writer.documents.values()]
        if jobs:
            await self._transactor.store.insert_in_transaction(group.session, jobs)


def _leave(members: Iterable[GroupMember]) -> None:
    for member in members:
        if not member.result.done():
            member.result.set_exception(_Left())
