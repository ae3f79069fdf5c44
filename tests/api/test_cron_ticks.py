"""`cronTicks`, `Cron.ticks`, `Cron.health` and `cronTicksChanged`."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from pymongo.errors import BulkWriteError

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.schema.ids import global_id, parse_global_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.api.test_subscriptions import subscribed
from tests.malformed import CRON_TICK, DUE, malformed_documents

FIELDS: Final = """id version cronId outcome reason origin scheduledTime lastScheduledTime tickCount
  delayMs recordedAt jobId job { id }"""
TICKS: Final = f"""query($cron: ID!, $first: Int, $after: String) {{
  cronTicks(cronId: $cron, first: $first, after: $after) {{
    nodes {{ {FIELDS} }} pageInfo {{ endCursor hasNextPage }} }} }}"""
OF_CRONS: Final = """{ crons { nodes { id
  ticks(first: 2) { nodes { id cronId } pageInfo { hasNextPage } }
  health { failuresInARow lastTick { id } counts { planned ran skipped missed coalesced canceled }
    lateness { runs p50Ms p95Ms p99Ms maxMs } } } } }"""
CHANGES: Final = """subscription($cron: ID, $after: Cursor, $snapshot: Boolean!) {
  cronTicksChanged(cronId: $cron, after: $after, snapshot: $snapshot) {
    kind cursor cronTickId cronTick { id outcome cronId } } }"""
CRON: Final = global_id("Cron", CRON_TICK["cronId"])


def plain(identifier: str) -> str:
    return parse_global_id(identifier)[1]


async def test_ticks_of_a_cron_are_paged_newest_first(ann: Client, documents: Documents) -> None:
    job = await documents.job()
    ids = [await documents.cron_tick(outcome="ran", reason=None, jobId=plain(job))]
    ids += [await documents.cron_tick() for _ in range(2)]
    await documents.cron_tick(cronId="d" * 24)
    first = await ann.get(TICKS, cron=CRON, first=2)
    rest = await ann.get(TICKS, cron=CRON, after=first["pageInfo"]["endCursor"])
    assert [tick["id"] for tick in (*first["nodes"], *rest["nodes"])] == ids[::-1]
    assert [first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]] == [True, False]
    [ran], missed = rest["nodes"], first["nodes"][0]
    assert (ran["outcome"], ran["jobId"], ran["job"]) == ("RAN", job, {"id": job})
    assert (missed["outcome"], missed["reason"], missed["tickCount"]) == ("MISSED", "DOWNTIME", 2)
    assert (missed["cronId"], missed["origin"], missed["job"]) == (CRON, "SCHEDULE", None)


async def test_ticks_of_another_users_cron_are_not_listed(
    ann: Client, bob: Client, documents: Documents
) -> None:
    tick = await documents.cron_tick()
    assert (await bob.get(TICKS, cron=CRON))["nodes"] == []
    assert [one["id"] for one in (await ann.get(TICKS, cron=CRON))["nodes"]] == [tick]
    node = "query($id: ID!) { node(id: $id) { id ... on CronTick { tickCount } } }"
    assert await ann.get(node, id=tick) == {"id": tick, "tickCount": 2}


async def test_malformed_ticks_are_omitted(ann: Client, engine: Engine) -> None:
    broken = [document for _, document in malformed_documents("cronTicks")]
    valid = {**CRON_TICK, "_id": new_id(), "owner": "ann", "version": 1}
    with suppress(BulkWriteError):
        await engine.mongo["cronTicks"].insert_many([*broken, valid], ordered=False)
    nodes = []
    page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        page = await ann.get(TICKS, cron=CRON, first=100, after=page["pageInfo"]["endCursor"])
        nodes += page["nodes"]
    assert valid["_id"] in [plain(node["id"]) for node in nodes]
    assert all(node["cronId"] == CRON and node["recordedAt"] for node in nodes)


async def insert_history(documents: Documents) -> tuple[str, str]:
    """Insert a cron with two runs, 1 s and 3 s late, of which the second has failed."""
    runs = []
    for late_s, state in ((1, "success"), (3, "failed")):
        started = {"seq": 2, "at": DUE + timedelta(seconds=late_s), "state": "inProgress"}
        timeline = [{"seq": 1, "at": DUE, "state": "pending"}, started]
        events = [event | {"from": None, "attempt": 1} for event in timeline]
        runs.append(plain(await documents.job(state=state, timeline=events)))
    cron = await documents.cron(
        executions=runs, failuresInARow=7, tickCounts={"ran": 2, "missed": 5}
    )
    tick = ""
    for job_id in runs:
        fields = {"jobId": job_id, "outcome": "ran", "reason": None, "cronId": plain(cron)}
        tick = await documents.cron_tick(**fields)
    return cron, tick


async def test_health_of_a_cron_counts_its_ticks_failures_and_lateness(
    ann: Client, documents: Documents
) -> None:
    other = await documents.cron(name="other")
    cron, tick = await insert_history(documents)
    found: Mapping[str, Any] = {one["id"]: one for one in (await ann.get(OF_CRONS))["nodes"]}
    health, unused = found[cron]["health"], found[other]["health"]
    assert [one["cronId"] for one in found[cron]["ticks"]["nodes"]] == [cron, cron]
    assert found[other]["ticks"] == {"nodes": [], "pageInfo": {"hasNextPage": False}}
    assert (health["failuresInARow"], health["lastTick"]) == (1, {"id": tick})
    assert (health["counts"]["planned"], health["counts"]["missed"]) == (7, 5)
    percentiles = dict.fromkeys(("p50Ms", "p95Ms", "p99Ms", "maxMs"), 3_000)
    assert health["lateness"] == {"runs": 2, **percentiles}
    assert (unused["failuresInARow"], unused["lastTick"], unused["lateness"]) == (0, None, None)


@pytest.mark.parametrize("cron", [None, CRON])
async def test_new_ticks_are_sent_after_a_snapshot_and_after_a_cursor(
    ann: Client, documents: Documents, cron: str | None
) -> None:
    old = await documents.cron_tick()
    async with subscribed(ann, CHANGES, cron=cron, snapshot=True) as stream:
        snapshot, ready = await stream.next(), await stream.next()
        new, _ = await documents.cron_tick(), await documents.cron_tick("bob")
        change = await stream.next()
    assert [snapshot["kind"], ready["kind"], change["kind"]] == ["SNAPSHOT", "READY", "CHANGED"]
    assert (snapshot["cronTickId"], change["cronTickId"]) == (old, new)
    assert change["cronTick"] == {"id": new, "outcome": "MISSED", "cronId": CRON}
    after = ready["cursor"]
    async with subscribed(ann, CHANGES, cron=cron, snapshot=False, after=after) as stream:
        assert (await stream.next())["kind"] == "READY"
        assert (await stream.next())["cronTickId"] == new


async def test_one_cron_is_followed(ann: Client, documents: Documents) -> None:
    async with subscribed(ann, CHANGES, cron=CRON, snapshot=False) as stream:
        assert (await stream.next())["kind"] == "READY"
        await documents.cron_tick(cronId="d" * 24)
        tick = await documents.cron_tick()
        assert (await stream.next())["cronTickId"] == tick


async def test_expired_ticks_are_not_sent(ann: Client, documents: Documents) -> None:
    await documents.cron_tick()
    async with subscribed(ann, CHANGES, snapshot=True) as stream:
        assert await stream.read_until_ready() == ["SNAPSHOT", "READY"]
        await documents.mongo["cronTicks"].delete_many({})
        tick = await documents.cron_tick()
        assert (await stream.next())["cronTickId"] == tick


async def test_a_deleted_cron_keeps_its_ticks(ann: Client, documents: Documents) -> None:
    cron = await documents.cron()
    tick = await documents.cron_tick(cronId=plain(cron))
    await ann.get(op.DELETE_CRON, input={"cronId": cron})
    assert tick in [one["id"] for one in (await ann.get(TICKS, cron=cron))["nodes"]]
