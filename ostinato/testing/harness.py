"""The harness: an empty installation whose clock the test moves, and which runs what falls due."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Self, TypedDict, TypeVar, Unpack

from ostinato.application import Ostinato
from ostinato.client.base_client import MAX_PAGE_SIZE
from ostinato.jobs.changes import Position
from ostinato.jobs.clock import Clock
from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.functions.static_crons import sync_static_crons
from ostinato.jobs.ids import EPOCH, reproducible_ids
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.mongo.change_stream import read_position
from ostinato.jobs.paging import Page
from ostinato.jobs.records import Batch, Cron, Failure, Job, JobState, RecurringTask, Request
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.settings import Mode, Settings
from ostinato.resolvers.live.live_query import Reset, ResumePoint
from ostinato.resolvers.live.messages import LiveMessage, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from ostinato.testing.database import empty
from ostinato.testing.due_runner import MAX_CHAIN_GROUP, DueRunner, EveryQueue
from ostinato.testing.faults import Error, Faults

R = TypeVar("R")

START: Final = datetime(2035, 1, 1, tzinfo=UTC)
"""The time at which a test starts: a Monday. It is in the future, since MongoDB would delete jobs
whose retention has ended by its own clock."""


class Duration(TypedDict, total=False):
    """The arguments of a `timedelta`."""

    weeks: float
    days: float
    hours: float
    minutes: float
    seconds: float
    milliseconds: float


class HarnessOptions(TypedDict, total=False):
    """How a harness runs."""

    start: datetime
    """The time at which the clock starts. Default: Monday, 2035-01-01, 00:00 UTC."""
    concurrency: int
    """How many jobs with the same due time run at once. Default: 1."""
    seed: int
    """Determines ids, and with them the jitter of crons, and the jitter of retries. Default: 0."""


class Harness:
    """Runs job functions under a clock that only the test moves.

    Between two calls of `advance`, time stands still and no job runs. Jobs run in this process and
    event loop, one by one, in the order of due time, priority and age. Sleeps and time limits of
    functions take real time.
    """

    def __init__(
        self, app: Ostinato, runner: DueRunner, faults: Faults, position: Position
    ) -> None:
        self.app: Final = app
        """The Python client: schedules jobs, registers crons, and all its other verbs."""
        self._runner = runner
        self._faults = faults
        self._position = position

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, **options: Unpack[HarnessOptions]
    ) -> AsyncIterator[Self]:
        """Empty the databases of the settings, and connect to them.

        Raises ValueError unless `test` is a word in the names of the databases.
        """
        concurrency, seed = options.get("concurrency", 1), options.get("seed", 0)
        async with AsyncExitStack() as resources:
            app = await resources.enter_async_context(
                Ostinato.open(_settings_of_harness(settings, concurrency))
            )
            await app.engine.notifier.close()  # there is no worker to signal
            await empty(app.engine.mongo)
            clock = app.engine.clock
            await clock.hold_at(_in_ms(options.get("start", START)))
            ids = reproducible_ids(f"{seed & 0xFFFFFF:06x}", lambda: _ms_of(clock))
            resources.enter_context(ids)
            faults = resources.enter_context(Faults.open(app.engine.registry))
            runner = await resources.enter_async_context(
                DueRunner.open(app.engine, concurrency, seed)
            )
            yield cls(app, runner, faults, await read_position(app.engine.mongo))

    @property
    def now(self) -> datetime:
        """The current scheduler time."""
        return _held_at(self.app.engine.clock)

    @property
    def settings(self) -> Settings:
        """The settings, with which other clients and an API of the test see the same jobs."""
        return self.app.settings

    async def advance(
        self, to: timedelta | datetime | None = None, /, **duration: Unpack[Duration]
    ) -> int:
        """Move the clock, and run every job that falls due meanwhile, each at its due time.

        That includes jobs that these jobs schedule, retries, ticks of crons and recurring tasks,
        pages of batches, and timeouts of requests. Returns how many jobs were due; a job counts
        once for each attempt. Raises ValueError for a time in the past, and RuntimeError if jobs
        schedule each other for the same time without end.
        """
        end = _in_ms(to) if isinstance(to, datetime) else self.now + (to or timedelta(**duration))
        if end < self.now:
            raise ValueError(f"time only moves forward: it is {self.now}, got {end}")
        return await self._runner.run_until(_in_ms(end))

    async def run_due(self) -> int:
        """Run every job that is due now, without moving the clock; returns like `advance`."""
        return await self._runner.run_until(self.now)

    def fail(
        self,
        function: FunctionRef,
        *,
        error: Error = RuntimeError("a failure of the test"),  # noqa: B008 - never mutated
        times: int | None = 1,
    ) -> None:
        """Raise `error` in the next calls of a function instead of calling it; `times` is None for
        all calls.

        Further failures of a function follow the earlier ones. Raises BadRequest for an unknown
        function.
        """
        self._faults.add(function, error, times)

    async def register_static_crons(self) -> None:
        """Register the crons that `@cron` declares in the imported modules, as a worker does when
        it starts."""
        declared = list(self.app.engine.registry.static_crons.values())
        await self.app.engine.transact(None, lambda ctx: sync_static_crons(ctx, declared))

    async def jobs(
        self,
        function: FunctionRef | None = None,
        state: JobState | str | None = None,
        *,
        owner: str | None = None,
        internal: bool | None = False,
    ) -> list[Job]:
        """Read the jobs, oldest first; with `internal=None`, also Ostinato's own."""
        which = JobFilter(
            function_name=None if function is None else name_of(function),
            states=None if state is None else (JobState(state),),
            internal=internal,
        )
        return await _all_pages(
            lambda after: self.app.jobs(
                which, owner=owner, order=JobOrder.OLDEST, first=MAX_PAGE_SIZE, after=after
            )
        )

    async def crons(self) -> list[Cron]:
        """Read all crons, newest first."""
        return await _all_pages(lambda after: self.app.crons(first=MAX_PAGE_SIZE, after=after))

    async def recurring_tasks(self) -> list[RecurringTask]:
        """Read all recurring tasks, newest first."""
        return await _all_pages(
            lambda after: self.app.recurring_tasks(first=MAX_PAGE_SIZE, after=after)
        )

    async def batches(self) -> list[Batch]:
        """Read all batches, newest first."""
        return await _all_pages(lambda after: self.app.batches(first=MAX_PAGE_SIZE, after=after))

    async def requests(self) -> list[Request]:
        """Read all requests, newest first."""
        return await _all_pages(lambda after: self.app.requests(first=MAX_PAGE_SIZE, after=after))

    async def failures(self) -> list[Failure]:
        """Read all failures, newest first."""
        return await _all_pages(lambda after: self.app.failures(first=MAX_PAGE_SIZE, after=after))

    async def changes(
        self, which: JobFilter | None = None, *, owner: str | None = None
    ) -> list[LiveMessage[Job]]:
        """Return the messages that a subscriber to `jobsChanged` would have received since the
        start of the test, in order."""
        context = await self.app.following(owner)
        await context.feed.reach(await context.feed.current_time())
        query = jobs_changed(context, which or JobFilter(), SubscribeOptions())
        messages: list[LiveMessage[Job]] = []
        async with aclosing(query.changes(ResumePoint(position=self._position))) as items:
            async for item in items:
                if isinstance(item, ResumePoint):
                    break
                if isinstance(item, Reset):
                    raise HistoryLost("MongoDB has deleted the changes of the start of the test")
                messages.append(item)
        return messages


def _held_at(clock: Clock) -> datetime:
    assert clock.held_at is not None
    return clock.held_at


def _ms_of(clock: Clock) -> int:
    return (_held_at(clock) - EPOCH) // MILLISECOND


async def _all_pages(read: Callable[[R | None], Awaitable[Page[R]]]) -> list[R]:
    page = await read(None)
    rows = list(page.items)
    while page.has_next:
        page = await read(rows[-1])
        rows += page.items
    return rows


def _settings_of_harness(settings: Settings, concurrency: int) -> Settings:
    update = {
        "mode": Mode.TEST,
        "queues": EveryQueue(),
        "concurrency": max(concurrency, MAX_CHAIN_GROUP),
        "hub_history_ms": 0,
    }
    return settings.model_copy(update=update)


def _in_ms(instant: datetime) -> datetime:
    """Return an instant in UTC and whole milliseconds; raises ValueError without a time zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone: pass an aware datetime")
    in_utc = instant.astimezone(UTC)
    return in_utc.replace(microsecond=in_utc.microsecond // 1000 * 1000)
