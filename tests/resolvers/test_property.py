"""Whatever happens in between, a client's merged view is the database, event by event."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.reads import Reads
from ostinato.jobs.paging import Window
from ostinato.jobs.records import Job, JobState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import Change, ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import jobs_changed
from tests.live.fixtures import As
from tests.live.reading import Client
from tests.live.writing import DUE, Writer

ALL = JobFilter()
PENDING, RUNNING = (JobState.PENDING,), (JobState.PENDING, JobState.IN_PROGRESS)
SOON = DUE + timedelta(minutes=1)
FILTERS = [
    JobFilter(states=PENDING),
    JobFilter(scheduled_from=DUE, scheduled_to=SOON),
    JobFilter(scheduled_to=SOON, states=RUNNING),
]
"""All match a new job; a claim, an end or a retry makes it leave one or another."""
WRITES = ("insert", "claim", "succeed", "retry", "progress")
STEPS = st.one_of(
    st.tuples(st.sampled_from(WRITES), st.integers(0, 3)),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("reconnect"), st.integers(0, 1)),
)


class View:
    """What a client knows: it merges by version and resumes by its newest cursor."""

    def __init__(self, *, snapshot: bool) -> None:
        self.snapshot = snapshot
        self.cursor: str | None = None
        self.is_whole = False
        self.jobs: dict[str, Job] = {}
        self.seqs: defaultdict[str, list[int]] = defaultdict(list)

    def merge(self, message: Change[Job]) -> None:
        self.cursor = message.cursor
        self.is_whole = message.kind not in (ChangeKind.SNAPSHOT, ChangeKind.RESET)
        if message.kind is ChangeKind.RESET:
            self.jobs.clear()
            self.seqs.clear()
        if message.kind is ChangeKind.LEFT and message.id is not None:
            self.jobs.pop(message.id, None)
        elif message.record is not None:
            known = self.jobs.get(message.record.id)
            if known is None or known.version < message.record.version:
                self.jobs[message.record.id] = message.record
        if message.kind is ChangeKind.SNAPSHOT and message.record is not None:
            self.seqs[message.record.id] = [event.seq for event in message.record.timeline]
        if message.event is not None and message.id is not None:
            self.seqs[message.id].append(message.event.seq)


class Session:
    """One client, who moves between API processes, and one writer."""

    def __init__(self, write: Writer, as_viewer: As, feeds: list[ChangeFeed], view: View) -> None:
        self.write, self.as_viewer, self.feeds, self.view = write, as_viewer, feeds, view
        self.wanted = ALL
        self.owner = new_id()
        self.ids: list[str] = []
        self.client: Client[Change[Job]] | None = None

    async def connect(self, feed: ChangeFeed) -> None:
        """Drop the connection, make one to another API process, read its first message."""
        await self.disconnect()
        following = SubscribeOptions(after=self.view.cursor, snapshot=self.view.snapshot)
        ctx = self.as_viewer(self.owner, at=feed)
        self.client = Client(jobs_changed(ctx, self.wanted, following))
        await self.read()

    async def disconnect(self) -> None:
        if self.client is not None:
            await self.client.__aexit__()

    async def read(self) -> None:
        assert self.client is not None
        self.view.merge(await self.client.next())

    async def read_all(self) -> None:
        """Read until a write that comes last."""
        last = await self.write.job(self.owner)
        self.ids.append(last)
        while last not in self.view.jobs or not self.view.is_whole:
            await self.read()

    async def step(self, name: str, number: int) -> None:
        if name == "reconnect":
            await self.connect(self.feeds[number])
        elif name == "read":
            await self.read_all()
        elif name == "insert" or not self.ids:
            self.ids.append(await self.write.job(self.owner))
        else:
            await self.change(name, self.ids[number % len(self.ids)])

    async def walk(self, steps: list[tuple[str, int]]) -> dict[str, Job]:
        """Take the steps, read to the end, and return what is stored then."""
        if self.view.snapshot:
            await self.step("insert", 0)
        await self.connect(self.feeds[0])
        for name, number in steps:
            await self.step(name, number)
        await self.read_all()
        await self.disconnect()
        stored = await Reads(self.write.mongo).find_job_page(
            self.owner, self.wanted, JobOrder.NEWEST, Window(limit=1_000)
        )
        return {job.id: job for job in stored.items}

    async def change(self, name: str, job_id: str) -> None:
        if name == "progress":
            await self.write.progress(job_id, done=1)
        else:
            await getattr(self.write, name)(job_id)


SessionOf: TypeAlias = Callable[[View], Session]


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"ring_events": 4})


@pytest.fixture
async def feeds(engine: Engine, feed: ChangeFeed) -> AsyncIterator[list[ChangeFeed]]:
    large = engine.settings.model_copy(update={"ring_events": 50_000})
    async with ChangeFeed(engine.mongo, large) as other:
        yield [feed, other]


@pytest.fixture
def session_of(write: Writer, as_viewer: As, feeds: list[ChangeFeed]) -> SessionOf:
    return lambda view: Session(write, as_viewer, feeds, view)


LIVE = bounds(max_examples=40)


@LIVE
@given(steps=st.lists(STEPS, max_size=25), snapshot=st.booleans())
async def test_merged_view_always_equals_the_database(
    session_of: SessionOf, steps: list[tuple[str, int]], snapshot: bool
) -> None:
    view = View(snapshot=snapshot)
    stored = await session_of(view).walk(steps)
    assert view.jobs == stored
    assert view.seqs == {name: [each.seq for each in job.timeline] for name, job in stored.items()}


@LIVE
@given(steps=st.lists(STEPS, max_size=25), snapshot=st.booleans(), wanted=st.sampled_from(FILTERS))
async def test_merged_view_is_what_matches_the_filter_whatever_happens(
    session_of: SessionOf, steps: list[tuple[str, int]], snapshot: bool, wanted: JobFilter
) -> None:
    session = session_of(View(snapshot=snapshot))
    session.wanted = wanted
    assert session.view.jobs == await session.walk(steps)
