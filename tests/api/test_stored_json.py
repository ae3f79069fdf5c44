"""Stored JSON is returned exactly, and other BSON types are returned as JSON."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from ostinato.schema.execution.encoding import encode_json
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents
from tests.api.operations import CREATE_WITH_TIMEOUT, REGISTER_CRON, START_TASK

REFERENCE_LIKE: list[Any] = [
    {"$ref": "x", "$id": 1},
    {"$id": 2**40, "$ref": "x", "$db": None, "more": 1},
    {"deep": [{"$$ref": {"$ref": "x", "$id": {"$ref": "y", "$id": 2}}}]},
]
LISTS = "{ requests { nodes { data } } viewer { id } }"
JSON_OF_ALL = """{ jobs { nodes { args result } } crons { nodes { args } }
  recurringTasks { nodes { args } } requests { nodes { data result } }
  failures { nodes { data } } viewer { id } }"""
FOREIGN_BSON: list[Any] = [
    *(Int64(2**40), ObjectId("0123456789abcdef01234567"), Decimal128("1.10"), Binary(b"x", 5)),
    *(Regex("x", "i"), Timestamp(1, 2), Code("x"), Code("x", {"a": 1}), MinKey(), MaxKey()),
    *(DBRef("x", ObjectId("0123456789abcdef01234567"), "db"), float("nan"), b"x"),
    *(datetime(2030, 1, 1, tzinfo=UTC), DatetimeMS(5), {"deep": [Regex("y"), {"$numberLong": 1}]}),
]


@pytest.mark.parametrize("value", REFERENCE_LIKE)
async def test_json_like_a_database_reference_is_returned_exactly(
    ann: Client, clients: Clients, value: Any
) -> None:
    created = await ann.get(CREATE_WITH_TIMEOUT, input={"data": value})
    listed = await ann(LISTS)
    admins = await clients.of("root", "admin")(LISTS)
    assert repr(created["request"]["data"]) == repr(value)
    assert not listed.errors
    assert repr(listed.data["requests"]["nodes"][0]["data"]) == repr(value)
    assert repr(admins.data["requests"]) == repr(listed.data["requests"])


async def test_arguments_like_database_references_are_returned_exactly(ann: Client) -> None:
    args = {"functionName": "functions.acceptAny", "args": {"value": REFERENCE_LIKE}}
    cron = await ann.get(REGISTER_CRON, input={"name": "c", "intervalMs": 60_000, **args})
    task = await ann.get(START_TASK, input={"taskId": "t", "intervalMs": 60_000, **args})
    again = await ann.get(START_TASK, input={"taskId": "t", "intervalMs": 60_000, **args})
    returned = [
        created["args"] for created in (cron["cron"], task["recurringTask"], again["recurringTask"])
    ]
    assert [repr(value) for value in returned] == [repr(args["args"])] * 3
    listed = (await ann("{ crons { nodes { args } } recurringTasks { nodes { args } } }")).data
    assert [repr(listed[name]["nodes"][0]) for name in listed] == [repr({"args": args["args"]})] * 2


@pytest.mark.parametrize("value", FOREIGN_BSON, ids=repr)
async def test_bson_types_of_other_programs_are_returned_as_json(
    ann: Client, documents: Documents, value: Any
) -> None:
    args = {"value": value}
    await documents.job(args=args, result=value)
    await documents.cron(args=args)
    await documents.recurring_task(args=args)
    await documents.request(data=value, result=[value])
    await documents.failure(data=value)
    answer = await ann(JSON_OF_ALL)
    assert not answer.errors
    assert encode_json(answer.data)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**60])
@pytest.mark.parametrize("form", ["literal", "variable"])
async def test_a_number_beyond_64_bits_is_rejected_with_its_path(
    ann: Client, number: int, form: str
) -> None:
    if form == "literal":
        input_ = f"{{data: {{rows: [0, {{n: {number}}}]}}}}"
        answer = await ann(f"mutation {{ createWithTimeout(input: {input_}) {{ requestId }} }}")
    else:
        answer = await ann(CREATE_WITH_TIMEOUT, input={"data": {"rows": [0, {"n": number}]}})
    (issue,) = answer.issues
    assert (issue["path"], issue["code"]) == (["input", "data"], "out_of_range")
    assert issue["message"].startswith("data: rows.1.n: must be ")
    assert f", got {str(number)[:40]}" in issue["message"]
    assert "between -9223372036854775808 and 9223372036854775807" in issue["message"]


async def test_a_literal_with_too_many_digits_is_rejected(ann: Client) -> None:
    input_ = f"{{data: [{'9' * 5_000}]}}"
    answer = await ann(f"mutation {{ createWithTimeout(input: {input_}) {{ requestId }} }}")
    assert answer.errors
    assert answer.codes != ["INTERNAL_SERVER_ERROR"]
