"""Failures are grouped by their function and the fingerprint of their error."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.documents import NewFailure
from ostinato.jobs.engine import Engine
from ostinato.jobs.fingerprints import fingerprint_of, normalize
from ostinato.jobs.ids import new_id
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.malformed import DUE

GROUPS = """query($filter: FailureFilter, $first: Int, $after: String) {
  failureGroups(filter: $filter, first: $first, after: $after) {
    nodes { id functionName fingerprint errorName message count retryableCount
      firstSeenAt lastSeenAt trend example { id error { message traceback } } }
    totalCount { count isExact } pageInfo { hasNextPage endCursor } } }"""


async def fail(engine: Engine, message: str, owner: str = "ann", **fields: Any) -> str:
    new = NewFailure(
        id=new_id(),
        owner=owner,
        function_name="mail.send",
        error={"name": "ValueError", "message": message},
        data={},
        attempts=1,
        at=DUE,
    )
    document = new.document() | fields
    await engine.mongo["failures"].insert_one(document)
    return str(document["fingerprint"])


@pytest.mark.parametrize(
    ("message", "normalized"),
    [
        ("order 17 of 2,000 is late", "order * of * is late"),
        ("no user 01a22eaa23035630bb9f1a6e", "no user *"),
        ("id 123e4567-e89b-12d3-a456-426614174000 at 0xDEADBEEF", "id * at *"),
        ("cannot parse 'some text'\n  at line 7", "cannot parse * at line *"),
        ("connection refused", "connection refused"),
        ("", ""),
    ],
)
def test_variable_parts_of_messages_are_left_out(message: str, normalized: str) -> None:
    assert normalize(message) == normalized


def test_fingerprints_tell_errors_apart_and_take_any_message() -> None:
    assert fingerprint_of("E", "a 1") == fingerprint_of("E", "a 2")
    assert fingerprint_of("E", "a 1") != fingerprint_of("F", "a 1")
    assert len(fingerprint_of("E", "\ud800" * 9_999)) == len(fingerprint_of(None, None)) == 24


async def test_similar_failures_are_one_group(ann: Client, engine: Engine) -> None:
    late = await fail(engine, "order 1 is late")
    await fail(engine, "order 2 is late", at=DUE + timedelta(hours=2))
    other = await fail(engine, "no such order", at=DUE + timedelta(hours=1))
    page = await ann.get(GROUPS)
    first, second = page["nodes"]
    assert (first["fingerprint"], first["count"]) == (late, 2)
    assert (first["functionName"], first["errorName"]) == ("mail.send", "ValueError")
    assert first["message"] == "order 2 is late"
    assert first["example"] is not None
    assert first["firstSeenAt"] < first["lastSeenAt"]
    assert (second["fingerprint"], second["count"]) == (other, 1)
    assert page["totalCount"] == {"count": 2, "isExact": True}


async def test_groups_are_those_of_the_viewer(ann: Client, admin: Client, engine: Engine) -> None:
    await fail(engine, "order 3 is late", "bob")
    assert (await ann.get(GROUPS))["nodes"] == []
    assert len((await admin.get(GROUPS))["nodes"]) == 1
    assert len((await admin.get(GROUPS, filter={"owner": "bob"}))["nodes"]) == 1
    assert (await ann(GROUPS, filter={"owner": "bob"})).code == "FORBIDDEN"


async def test_a_group_has_the_counts_of_the_last_24_hours(ann: Client, engine: Engine) -> None:
    this_hour = (await engine.now()).replace(minute=0, second=0, microsecond=0)
    await engine.clock.hold_at(this_hour + timedelta(minutes=30))
    for hours in (0, 0, 3, 23, 24):
        await fail(engine, f"order {hours}", at=this_hour - timedelta(hours=hours))
    (group,) = (await ann.get(GROUPS))["nodes"]
    assert (group["count"], len(group["trend"])) == (5, 24)
    assert {n: count for n, count in enumerate(group["trend"]) if count} == {0: 1, 20: 1, 23: 2}


async def test_a_group_counts_the_failures_that_have_a_job(ann: Client, engine: Engine) -> None:
    for number in range(2):
        await fail(engine, f"order {number}", jobId=new_id())
    await fail(engine, "order 3", recordedById=new_id())
    (group,) = (await ann.get(GROUPS))["nodes"]
    assert (group["count"], group["retryableCount"]) == (3, 2)


async def test_groups_contain_open_failures_unless_others_are_wanted(
    ann: Client, engine: Engine
) -> None:
    await fail(engine, "order 1 is late")
    await fail(engine, "order 2 is late", resolvedAt=DUE)
    for states, count in ((["OPEN"], 1), (["RESOLVED"], 1), (None, 2)):
        (group,) = (await ann.get(GROUPS, filter={"states": states}))["nodes"]
        assert group["count"] == count
    (group,) = (await ann.get(GROUPS))["nodes"]
    assert (group["count"], group["message"]) == (1, "order 1 is late")


async def test_only_admins_see_the_traceback_of_the_example(
    ann: Client, admin: Client, engine: Engine
) -> None:
    error = {"name": "ValueError", "message": "x", "traceback": "File secret.py"}
    await fail(engine, "x", error=error)
    for client, expected in ((ann, None), (admin, "File secret.py")):
        (group,) = (await client.get(GROUPS))["nodes"]
        assert group["example"]["error"] == {"message": "x", "traceback": expected}


async def test_groups_are_paged_and_filtered(ann: Client, engine: Engine) -> None:
    marks = [
        await fail(engine, text, at=DUE + timedelta(hours=hours))
        for hours, text in enumerate(("a", "b", "c"))
    ]
    page = await ann.get(GROUPS, first=2)
    assert [node["fingerprint"] for node in page["nodes"]] == [marks[2], marks[1]]
    assert page["pageInfo"]["hasNextPage"]
    rest = await ann.get(GROUPS, first=2, after=page["pageInfo"]["endCursor"])
    assert [node["fingerprint"] for node in rest["nodes"]] == [marks[0]]
    assert not rest["pageInfo"]["hasNextPage"]
    only = await ann.get(GROUPS, filter={"fingerprint": marks[1]})
    assert [node["fingerprint"] for node in only["nodes"]] == [marks[1]]
    assert (await ann(GROUPS, filter={"fingerprint": "x"})).paths == [["filter", "fingerprint"]]


async def test_older_and_malformed_failures_do_no_harm(
    ann: Client, engine: Engine, documents: Documents
) -> None:
    await documents.failure(functionName="old.one")
    await documents.failure(functionName="old.one")
    await documents.failure(functionName=7)
    await documents.failure(error="broken")
    await fail(engine, "x", at="soon")
    (group,) = [n for n in (await ann.get(GROUPS))["nodes"] if n["functionName"] == "old.one"]
    assert (group["fingerprint"], group["count"]) == (None, 2)
