"""Property tests: after any sequence of writes and reconnects, a client's merged view equals the
database.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.reads import Reads
from ostinato.jobs.paging import Window
from ostinato.jobs.records import Job, JobState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client
from tests.live.writing import DUE, Writer

ALL = JobFilter()
PENDING, UNFINISHED = (JobState.PENDING,), (JobState.PENDING, JobState.IN_PROGRESS)
SOON = DUE + timedelta(minutes=1)
FILTERS = [
    JobFilter(states=PENDING),
    JobFilter(scheduled_from=DUE, scheduled_to=SOON),
    JobFilter(scheduled_to=SOON, states=UNFINISHED),
]
"""All match a new job; a claim, an outcome or a retry removes it from one of them."""
WRITES = ("insert", "claim", "succeed", "retry", "progress")
STEPS = st.one_of(
    st.tuples(st.sampled_from(WRITES), st.integers(0, 3)),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("reconnect"), st.integers(0, 1)),
)


class View:
    """The state of a client, which merges messages by version and resumes at its newest cursor."""

    def __init__(self, *, snapshot: bool) -> None:
        self.snapshot = snapshot
        self.cursor: str | None = None
        self.is_complete = False
        self.jobs: dict[str, Job] = {}
        self.seqs: defaultdict[str, list[int]] = defaultdict(list)

    def merge(self, message: LiveMessage[Job]) -> None:
        self.cursor = message.cursor
        self.is_complete = message.kind not in (ChangeKind.SNAPSHOT, ChangeKind.RESET)
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
    """A client that connects to different API processes, and a writer."""

    def __init__(
        self, writer: Writer, as_viewer: ContextFactory, feeds: list[ChangeFeed], view: View
    ) -> None:
        self.writer, self.as_viewer, self.feeds, self.view = writer, as_viewer, feeds, view
        self.wanted = ALL
        self.owner = new_id()
        self.ids: list[str] = []
        self.client: Client[LiveMessage[Job]] | None = None

    async def connect(self, feed: ChangeFeed) -> None:
        """Disconnect, connect to the API process of `feed`, and read its first message."""
        await self.disconnect()
        options = SubscribeOptions(after=self.view.cursor, snapshot=self.view.snapshot)
        ctx = self.as_viewer(self.owner, at=feed)
        self.client = Client(jobs_changed(ctx, self.wanted, options))
        await self.read()

    async def disconnect(self) -> None:
        if self.client is not None:
            await self.client.__aexit__()

    async def read(self) -> None:
        assert self.client is not None
        self.view.merge(await self.client.next())

    async def read_all(self) -> None:
        """Insert a job, and read up to its change."""
        last = await self.writer.job(self.owner)
        self.ids.append(last)
        while last not in self.view.jobs or not self.view.is_complete:
            await self.read()

    async def step(self, name: str, number: int) -> None:
        if name == "reconnect":
            await self.connect(self.feeds[number])
        elif name == "read":
            await self.read_all()
        elif name == "insert" or not self.ids:
            self.ids.append(await self.writer.job(self.owner))
        else:
            await self.change(name, self.ids[number % len(self.ids)])

    async def run(self, steps: list[tuple[str, int]]) -> dict[str, Job]:
        """Run the steps, read all changes, and return the stored jobs."""
        if self.view.snapshot:
            await self.step("insert", 0)
        await self.connect(self.feeds[0])
        for name, number in steps:
            await self.step(name, number)
        await self.read_all()
        await self.disconnect()
        stored = await Reads(self.writer.mongo).find_job_page(
            self.owner, self.wanted, JobOrder.NEWEST, Window(limit=1_000)
        )
        return {job.id: job for job in stored.items}

    async def change(self, name: str, job_id: str) -> None:
        if name == "progress":
            await self.writer.progress(job_id, done=1)
        else:
            await getattr(self.writer, name)(job_id)


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
def session_of(writer: Writer, as_viewer: ContextFactory, feeds: list[ChangeFeed]) -> SessionOf:
    return lambda view: Session(writer, as_viewer, feeds, view)


EXAMPLES = hypothesis_settings(max_examples=40)


@EXAMPLES
@given(steps=st.lists(STEPS, max_size=25), snapshot=st.booleans())
async def test_merged_view_always_equals_the_database(
    session_of: SessionOf, steps: list[tuple[str, int]], snapshot: bool
) -> None:
    view = View(snapshot=snapshot)
    stored = await session_of(view).run(steps)
    assert view.jobs == stored
    assert view.seqs == {
        name: [event.seq for event in job.timeline] for name, job in stored.items()
    }


@EXAMPLES
@given(steps=st.lists(STEPS, max_size=25), snapshot=st.booleans(), wanted=st.sampled_from(FILTERS))
async def test_merged_view_always_equals_the_filtered_database(
    session_of: SessionOf, steps: list[tuple[str, int]], snapshot: bool, wanted: JobFilter
) -> None:
    session = session_of(View(snapshot=snapshot))
    session.wanted = wanted
    assert session.view.jobs == await session.run(steps)
