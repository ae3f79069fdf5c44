"""jobsChanged with filters by labels: key, tags, creation time, owner."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.filters import JobFilter
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, received
from tests.live.writing import Writer

OLD = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
LABELED: dict[str, Any] = {"key": "k", "tags": ["a", "b"], "createdAt": OLD}


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(key="k"),
        JobFilter(tags=("b",)),
        JobFilter(tags=("b", "a")),
        JobFilter(created_to=OLD + timedelta(hours=1)),
        JobFilter(created_from=OLD, created_to=OLD + timedelta(hours=1)),
        JobFilter(key="k", tags=("a",), created_from=OLD),
    ],
)
async def test_only_jobs_with_the_labels_are_sent(
    as_viewer: ContextFactory, writer: Writer, wanted: JobFilter
) -> None:
    before = await writer.job(**LABELED)
    async with Client(
        jobs_changed(as_viewer("root", "admin"), wanted, SubscribeOptions(snapshot=True))
    ) as client:
        *rows, _ready = await client.until(ChangeKind.READY)
        assert [row.id for row in rows] == [before]
        await writer.run(key="l", tags=["c"])
        await writer.claim(before)
        await writer.progress(before, 7)
        after = await writer.run("ben", **LABELED)
        messages = await client.take(5)
    expected = [(before, 2), (before, None), (after, 1), (after, 2), (after, 3)]
    assert received(messages) == expected


async def test_an_admin_follows_one_owner(as_viewer: ContextFactory, writer: Writer) -> None:
    admin = as_viewer("root", "admin")
    async with Client(jobs_changed(admin, JobFilter(owner="bob"), SubscribeOptions())) as client:
        await client.ready()
        await writer.run("ann")
        expected = await writer.job("bob")
        assert (await client.next()).id == expected
    with pytest.raises(Forbidden, match="only admins"):
        jobs_changed(as_viewer("ann"), JobFilter(owner="bob"), SubscribeOptions())
