"""Trees of jobs in the Python client: read, follow and cancel them."""

from contextlib import aclosing

import pytest

from ostinato import JobState, Ostinato
from ostinato.resolvers.live.messages import ChangeKind
from tests.client.test_changes import first, until_ready
from tests.engine.functions import schedule_with_options


@pytest.mark.usefixtures("worker")
async def test_tree_of_a_job_is_read_followed_and_canceled(app: Ostinato) -> None:
    parent = await app.schedule(schedule_with_options, {"what": "integral float"}, owner="alice")
    child_id = await parent.result(timeout=30)
    page = await app.tree(parent.id, owner="alice")
    assert [job.id for job in page.items] == [parent.id, child_id]
    assert (await app.tree(parent.id, owner="bob")).items == ()
    assert (await app.tree(parent.id, after=page.items[0])).items == page.items[1:]
    async with aclosing(app.tree_changes(parent.id, snapshot=True)) as messages:
        rows = (await until_ready(messages))[:-1]
        assert [row.id for row in rows] == [child_id, parent.id]
        ended = await app.cancel(parent.id, owner="alice", cascade=True)
        (change,) = await first(messages, 1)
    assert (change.kind, change.id) == (ChangeKind.CHANGED, child_id)
    assert (ended.state, (await app.get(child_id)).state) == (JobState.SUCCESS, JobState.CANCELED)
