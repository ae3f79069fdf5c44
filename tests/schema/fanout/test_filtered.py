"""Broadcasts with different filters: an event is executed only for those that match."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from ostinato.schema.ids import global_id
from tests.jobs.changefeed.test_fan_out import RecordingListener
from tests.live.fixtures import ContextFactory, WatcherGroup
from tests.live.reading import Client, JobReadCounter, follow
from tests.live.watching import SubscriptionRig
from tests.live.writing import DUE, Writer
from tests.processes import eventually

OTHERS = 12
JOBS = 50
PENDING = "(filter: {states: [PENDING]})"
FILTERED = "subscription($filter: JobFilter) { jobsChanged(filter: $filter) { kind jobId } }"


def window(number: int) -> dict[str, Any]:
    """Return the window with this number; jobs are due in window 0."""
    start = DUE + timedelta(days=number)
    return {
        "scheduledFrom": start.isoformat(),
        "scheduledTo": (start + timedelta(days=1)).isoformat(),
    }


def in_other_states(number: int) -> dict[str, Any]:
    """Return the set of states with this number, without the state of a new job."""
    names = ["IN_PROGRESS", "SUCCESS", "FAILED", "CANCELED"]
    return {"states": [name for bit, name in enumerate(names) if (number + 1) >> bit & 1]}


@dataclass(frozen=True, slots=True)
class Costs:
    """Counts the listeners, executions and reads for events."""

    live_rig: SubscriptionRig
    feed: ChangeFeed
    job_reads: JobReadCounter
    listeners: list[RecordingListener] = field(default_factory=list)

    async def wait_until_live(self, groups: int) -> None:
        """Wait until this number of broadcasts is live."""
        await eventually(lambda: len(self.live_rig.broadcasts) == len(self.feed.index) == groups)

    def listen(self) -> None:
        """Add a listener to each filter of the change feed."""
        for watch in list(self.feed.index._listeners):
            self.listeners.append(RecordingListener())
            self.feed.index.join(watch, self.listeners[-1])

    @property
    def notified(self) -> int:
        return len([listener for listener in self.listeners if listener.received])

    async def executions_and_reads(self) -> tuple[int, int]:
        """Return the number of executions and of reads of jobs."""
        return self.live_rig.runner.metrics.results, await self.job_reads.count()


@pytest.fixture
def costs(live_rig: SubscriptionRig, feed: ChangeFeed, job_reads: JobReadCounter) -> Costs:
    return Costs(live_rig, feed, job_reads)


@pytest.mark.parametrize(
    "filters",  # only the first matches
    [
        [window(number) for number in range(OTHERS)],
        [window(0), *(window(0) | in_other_states(number) for number in range(OTHERS))],
        [{"states": ["PENDING"]}, *(in_other_states(number) for number in range(OTHERS))],
    ],
)
async def test_event_is_executed_only_for_matching_broadcasts_and_reads_no_job(
    costs: Costs, writer: Writer, watcher_group: WatcherGroup, filters: list[dict[str, Any]]
) -> None:
    ours, *others = [costs.live_rig.watch(FILTERED, filter=filter_) for filter_ in filters]
    await watcher_group.start(*others)
    async with ours:
        waiting = await ours.start_waiting()
        await costs.wait_until_live(len(filters))
        costs.listen()
        executed, read = await costs.executions_and_reads()
        ids = [await writer.job() for _ in range(3)]
        received = [await waiting, *await ours.take(2)]
    assert [message["jobId"] for message in received] == [
        global_id("Job", job_id) for job_id in ids
    ]
    assert (len(costs.listeners), costs.notified) == (len(filters), 1)
    assert await costs.executions_and_reads() == (executed + 3, read)


async def test_progress_of_a_recently_changed_job_is_routed_without_reading_it(
    live_rig: SubscriptionRig,
    writer: Writer,
    watcher_group: WatcherGroup,
    job_reads: JobReadCounter,
) -> None:
    await watcher_group.start(live_rig.watch(FILTERED, filter={"states": ["PENDING"]} | window(0)))
    async with live_rig.watch(FILTERED, filter={"states": ["IN_PROGRESS"]} | window(0)) as watcher:
        waiting = await watcher.start_waiting()
        job_id = await writer.job()
        await writer.claim(job_id)
        assert (await waiting)["jobId"] == global_id("Job", job_id)
        read = await job_reads.count()
        await writer.progress(job_id, done=1)
        assert (await watcher.next())["kind"] == "CHANGED"
        assert await job_reads.count() == read
    assert [message["kind"] for message in await watcher_group.received()] == ["CHANGED"]
    assert [message["kind"] for message in await watcher_group.received()] == ["LEFT"]


async def test_broadcasts_share_one_event_object(as_viewer: ContextFactory, writer: Writer) -> None:
    pending = JobFilter(states=(JobState.PENDING,))
    async with (
        Client(jobs_changed(as_viewer("ann"), pending, SubscribeOptions())) as ours,
        follow(as_viewer("root", "admin")) as admins,
    ):
        await ours.ready()
        await admins.ready()
        await writer.job()
        received = [(await client.next()).event for client in (ours, admins)]
    assert received[0] is not None
    assert received[0] is received[1]


@pytest.mark.parametrize(("selection", "reads"), [("kind jobId", 0), ("kind job { state }", 1)])
async def test_objects_of_a_batch_of_changes_are_read_together_and_only_if_selected(
    costs: Costs, writer: Writer, watcher_group: WatcherGroup, selection: str, reads: int
) -> None:
    queries = [
        f"subscription {{ jobsChanged{arguments} {{ {selection} }} }}"
        for arguments in ("", PENDING)
    ]
    await watcher_group.start(*(costs.live_rig.watch(query) for query in queries))
    await costs.wait_until_live(2)
    _, read = await costs.executions_and_reads()
    await writer.jobs(JOBS)
    received = [await watcher_group.received() for _ in range(JOBS)]
    assert {message["kind"] for pair in received for message in pair} == {"CHANGED"}
    assert (await costs.executions_and_reads())[1] == read + reads
