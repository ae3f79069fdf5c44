"""Broadcasts never send data of one viewer to another."""

from collections.abc import AsyncIterable, AsyncIterator

import pytest
import strawberry

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import Job
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live import messages, subscription_sources
from ostinato.resolvers.live.messages import ChangeKind, EventPosition, SubscribeOptions
from ostinato.schema.build import graphql_schema
from ostinato.schema.fields import Info, strawberry_field, strawberry_subscription
from ostinato.schema.ids import global_id
from tests.live.breaking import wait_until_processed
from tests.live.fixtures import ContextFactory, WatcherGroup
from tests.live.reading import Client
from tests.live.watching import SubscriptionRig
from tests.live.writing import Writer
from tests.processes import eventually

ADMIN = frozenset({"admin"})
ADMINS = [Viewer(id="root", roles=ADMIN), Viewer(id="toor", roles=ADMIN)]


@strawberry.type
class Change:
    """A message with fields that depend on the viewer."""

    event_position: strawberry.Private[EventPosition]
    kind: str

    @classmethod
    def of(cls, change: messages.LiveMessage[Job]) -> "Change":
        return cls(event_position=change.event_position, kind=change.kind.name)

    @strawberry_field(description="The viewer.")
    def viewer(self, info: Info) -> str:
        return info.context.viewer.id

    @strawberry_field(description="The viewer, wrongly declared shared.", shared=True)
    def shared(self, info: Info) -> str:
        return info.context.viewer.id

    @strawberry_field(description="The same message.")
    def again(self) -> "Change":
        return self


@strawberry.type
class Query:
    nothing: str = ""


@strawberry.type
class Subscription:
    @strawberry_subscription(description="Every job.")
    def changes(self, info: Info) -> AsyncIterable[Change]:
        query = subscription_sources.jobs_changed(info.context, JobFilter(), SubscribeOptions())
        return query.map(Change.of)


@pytest.fixture
async def live_rig(engine: Engine, feed: ChangeFeed) -> AsyncIterator[SubscriptionRig]:
    schema = strawberry.Schema(Query, subscription=Subscription)
    async with SubscriptionRig.open(schema, engine, feed) as live_rig:
        yield live_rig


@pytest.mark.parametrize(
    "selection",
    ["viewer", "again { again { viewer } }", "...F", "... on Change { again { ...F } }"],
)
async def test_field_that_depends_on_the_viewer_is_executed_per_viewer(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup, selection: str
) -> None:
    fragment = "fragment F on Change { viewer }" if "...F" in selection else ""
    query = f"subscription {{ changes {{ kind {selection} }} }} {fragment}"
    await watcher_group.start(*(live_rig.watch(query, admin) for admin in ADMINS))
    await eventually(lambda: live_rig.broadcasts == [1, 1])
    await writer.job()
    first, second = await watcher_group.received()
    assert "root" in str(first)
    assert "toor" in str(second)
    assert "toor" not in str(first)


async def test_field_wrongly_declared_shared_reveals_no_viewer(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    await watcher_group.start(
        *(live_rig.watch("subscription { changes { kind shared } }", a) for a in ADMINS)
    )
    await eventually(lambda: live_rig.broadcasts == [2])
    await writer.job()
    assert [message["shared"] for message in await watcher_group.received()] == ["", ""]


@pytest.fixture
async def anns_job(feed: ChangeFeed, writer: Writer) -> str:
    """Return a job that the feed has processed."""
    job_id = await writer.job("ann")
    await wait_until_processed(feed)
    return job_id


async def test_job_with_a_new_owner_is_sent_as_left_to_its_previous_owner(
    engine: Engine, feed: ChangeFeed, writer: Writer, watcher_group: WatcherGroup, anns_job: str
) -> None:
    query = "subscription { jobsChanged { kind jobId event { seq } job { id owner } } }"
    async with SubscriptionRig.open(graphql_schema, engine, feed) as live_rig:
        await watcher_group.start(
            *(live_rig.watch(query, Viewer(id=name)) for name in ("ann", "bob"))
        )
        await eventually(lambda: live_rig.broadcasts == [1, 1])
        await writer.mongo["jobs"].update_one({"_id": anns_job}, {"$set": {"owner": "bob"}})
        await writer.claim(anns_job)
        old, new = await watcher_group.received()
        await watcher_group.close()
    name = global_id("Job", anns_job)
    assert old == {"kind": "LEFT", "jobId": name, "event": None, "job": None}
    assert (new["kind"], new["job"]) == ("CHANGED", {"id": name, "owner": "bob"})


async def test_subscription_to_one_job_ends_with_left_when_its_owner_changes(
    as_viewer: ContextFactory, writer: Writer, anns_job: str
) -> None:
    async with Client(subscription_sources.job_changed(as_viewer("ann"), anns_job)) as client:
        await client.ready()
        await writer.mongo["jobs"].update_one({"_id": anns_job}, {"$set": {"owner": "bob"}})
        received = await client.next()
        with pytest.raises(StopAsyncIteration):
            await client.next()
    assert (received.kind, received.event, received.record) == (ChangeKind.LEFT, None, None)
