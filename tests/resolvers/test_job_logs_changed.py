"""The subscription of a job's log: stored lines, READY, new lines, and exact resumes."""

from collections.abc import Sequence

import pytest

from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.ids import new_id
from ostinato.resolvers.live.log_query import LogMessage
from ostinato.resolvers.live.messages import ChangeKind
from ostinato.resolvers.live.subscription_sources import job_logs_changed
from ostinato.schema.ids import global_id
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, first_message
from tests.live.watching import SubscriptionRig
from tests.live.writing import Writer

LOGS = """subscription ($id: ID!, $after: Cursor) {
  jobLogsChanged(jobId: $id, after: $after) {
    cursor kind lines { attempt seq level message fields } } }"""


def seqs(messages: Sequence[LogMessage]) -> list[tuple[int, int]]:
    return [line.position for message in messages for line in message.lines]


async def test_stored_lines_are_sent_before_ready_and_new_lines_after_it(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id, other = await writer.job(), await writer.job()
    await writer.lines(job_id, *range(1, 151))
    await writer.lines(job_id, 1, attempt=2)
    async with Client(job_logs_changed(as_viewer(), job_id)) as client:
        stored = await client.until(ChangeKind.READY)
        await writer.lines(other, 7)
        await writer.lines(job_id, 2, 3, attempt=2)
        await writer.lines(job_id, 151)  # of a worker that was declared lost
        new = await client.take(2)
    assert [message.kind for message in stored] == ["snapshot", "snapshot", "ready"]
    assert seqs(stored) == [*((1, seq) for seq in range(1, 151)), (2, 1)]
    assert seqs(new) == [(2, 2), (2, 3), (1, 151)]


async def test_a_client_resumes_after_any_message(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job()
    await writer.lines(job_id, *range(1, 151))
    async with Client(job_logs_changed(as_viewer(), job_id)) as client:
        cursors = [(await client.next()).cursor, (await client.ready()).cursor]
    await writer.lines(job_id, 151)
    for cursor, lines in zip(cursors, (range(101, 152), range(151, 152)), strict=True):
        async with Client(job_logs_changed(as_viewer(), job_id, after=cursor)) as client:
            assert (await client.next()).kind is ChangeKind.READY
            missed = [await client.next()]
            await writer.lines(job_id, 152)
            while seqs(missed)[-1] != (1, 152):
                missed.append(await client.next())
        await writer.mongo["jobLogs"].delete_one({"last": {"$regex": "000098$"}})
        assert seqs(missed) == [*((1, seq) for seq in lines), (1, 152)]


async def test_equal_subscriptions_of_clients_share_their_messages(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    job_id = await writer.job()
    await writer.lines(job_id, 1)
    watchers = [live_rig.watch(LOGS, id=global_id("Job", job_id)) for _ in range(2)]
    async with watchers[0], watchers[1]:
        for watcher in watchers:
            assert (await watcher.next())["lines"][0] == {
                "attempt": 1, "seq": 1, "level": "INFO", "message": "line 1",
                "fields": {"number": 1},
            }  # fmt: skip
            await watcher.ready()
        for seq in (2, 3):
            await writer.lines(job_id, seq)
            taken = [await watcher.next() for watcher in watchers]
            assert [message["lines"][0]["seq"] for message in taken] == [seq, seq]


@pytest.mark.parametrize("owner", ["bob", None])
async def test_logs_of_others_are_not_found(
    as_viewer: ContextFactory, writer: Writer, owner: str | None
) -> None:
    job_id = await writer.job(owner)
    with pytest.raises(NotFound):
        await first_message(job_logs_changed(as_viewer(), job_id))
    with pytest.raises(NotFound):
        await first_message(job_logs_changed(as_viewer(), new_id()))


async def test_a_cursor_of_another_job_is_rejected(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id, other = await writer.job(), await writer.job()
    async with Client(job_logs_changed(as_viewer(), other)) as client:
        cursor = (await client.ready()).cursor
    with pytest.raises(BadRequest):
        await first_message(job_logs_changed(as_viewer(), job_id, after=cursor))
