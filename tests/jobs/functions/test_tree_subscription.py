"""The story of a cron's run in one subscription, although the API is killed in the middle."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

from ostinato.jobs.records import CauseKind
from ostinato.schema.ids import document_id, global_id
from tests.jobs.functions import work
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, PatternRig
from tests.jobs.functions.test_crons import register
from tests.processes import ApiProcess, Processes, eventually

TREE: Final = """subscription ($root: ID!, $after: Cursor) {
  jobTreeChanged(rootId: $root, snapshot: true, after: $after) {
    kind cursor jobId event { seq } job { state version } } }"""


@asynccontextmanager
async def following(
    api: ApiProcess, root_id: str, after: str | None = None
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Yield the messages about a tree."""
    transport = WebsocketsTransport(
        url=api.ws_url,
        init_payload={"Authorization": f"Bearer {api.token()}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    request = gql(TREE)
    request.variable_values = {"root": global_id("Job", root_id), "after": after}
    async with (
        Client(transport=transport) as session,
        aclosing(session.subscribe(request)) as messages,
    ):
        yield (message["jobTreeChanged"] async for message in messages)


async def run_of_cron(rig: PatternRig) -> str:
    """Return the id of the run, once it waits at the gate."""
    await register(rig, function_name="work.fanOut")
    await rig.engine.advance(MINUTE)
    await work.gate.reached.wait()
    [run] = await rig.jobs("work.fanOut")
    assert (run.cause.kind, run.root_id) == (CauseKind.CRON, run.id)
    return run.id


async def wait_for_states(rig: PatternRig, *states: str) -> None:
    """Wait until the three children of the run have these states."""

    async def have_states() -> bool:
        return sorted(job.state for job in await rig.jobs("work.failIfRequested")) == list(states)

    await eventually(have_states)


async def follow_until_killed(api: ApiProcess, root_id: str) -> list[dict[str, Any]]:
    """Return the first four messages after READY; then kill the API."""
    async with following(api, root_id) as messages:
        snapshot = await anext(messages)
        assert (snapshot["kind"], snapshot["job"]["state"]) == ("SNAPSHOT", "IN_PROGRESS")
        assert (await anext(messages))["kind"] == "READY"
        work.gate.opened.set()
        received = [await anext(messages) for _ in range(4)]
        api.child.popen.kill()
    return received


async def resume(api: ApiProcess, root_id: str, after: str, count: int) -> list[dict[str, Any]]:
    async with following(api, root_id, after) as messages:
        assert (await anext(messages))["kind"] == "READY"
        return [await anext(messages) for _ in range(count)]


async def events_after_the_snapshot(rig: PatternRig, root_id: str) -> list[tuple[str, int]]:
    """Return the events of the tree's jobs; the snapshot contains the first two of the run."""
    tree = [job for job in await rig.jobs() if job.root_id == root_id]
    events = [(job.id, event.seq) for job in tree for event in job.timeline]
    return sorted(set(events) - {(root_id, 1), (root_id, 2)})


async def test_each_event_of_a_tree_arrives_once_although_the_api_is_killed(
    rig: PatternRig, processes: Processes
) -> None:
    work.faults["second"] = 1
    api = await processes.api(functions=rig.engine.settings.functions)
    root_id = await run_of_cron(rig)
    received = await follow_until_killed(api, root_id)
    await wait_for_states(rig, "pending", "success", "success")
    again = await processes.api(functions=rig.engine.settings.functions)
    await rig.engine.advance(2 * HOUR)
    await wait_for_states(rig, "success", "success", "success")
    expected = await events_after_the_snapshot(rig, root_id)
    left = len(expected) - len(received)
    received += await resume(again, root_id, received[-1]["cursor"], left)
    events = [(document_id(each["jobId"], "Job"), each["event"]["seq"]) for each in received]
    assert (len(expected), sorted(events)) == (1 + 2 * 3 + 5, expected)
    assert sorted(events, key=lambda event: event[0]) == expected  # in order for each job
