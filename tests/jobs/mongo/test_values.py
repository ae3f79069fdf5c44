"""Values of users are stored unchanged, and a value that cannot be stored affects no other job."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp
from pydantic_core import to_json
from pymongo.errors import WriteError

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.json_values import NotJson, to_json_value
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.outcome_writer import OutcomeWriter
from tests.engine import unusual_values
from tests.engine.rig import Rig

ID = ObjectId("0123456789abcdef01234567")
NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)

UNUSUAL_JSON: list[Any] = [
    "$owner",
    "$$NOW",
    "$$REMOVE",
    {"$literal": 1},
    {"$owner": {"$add": [1, 2]}},
    {"a.b": {"c.d$": ["$owner", {"$$ROOT": "$$ROOT"}]}, "$set": {"state": "success"}, "": 0},
    ["$owner", True, 1, 1.0, None, [], {}, "\0", "ü€😀"],
    2**63 - 1,
    -(2**63),
    2**31,
    {"rows": [3_000_000_000, {"id": 2**40}]},
    False,
    -0.0,
    1e308,
    5e-324,
    {"$ref": "x", "$id": 1},
    {"$id": {"$oid": "x"}, "$ref": "x", "$db": None, "more": [{"$ref": "y", "$id": None}]},
    {"$ref": 5, "$id": 1},
    {"$$ref": {"$ref": {"$$$ref": 1}}, "$id": 1},
    [{"$ref": "x", "$id": 2**40}],
]

ABNORMAL_ENDS = {
    "huge integer": "NotJson",
    "NaN": "NotJson",
    "null in a key": "NotJson",
    "lone surrogate": "NotJson",
    "lone surrogate in an error": "ValueError",
    "misreported text in an error": "ValueError",
    "unprintable error": "Unprintable",
    "system exit": "SystemExit",
    "cancels itself": "CancelledError",
    "too large": "TooLarge",
    "not json": "NotJson",
}


@pytest.mark.parametrize("name", ["echo", "echo_in_mutation"])
async def test_arguments_and_results_are_unchanged(rig: Rig, name: str) -> None:
    for value in UNUSUAL_JSON:
        job = await rig.run(name, value=value)
        assert (job["state"], job["owner"]) == ("success", "alice")
        assert [repr(job["args"]["value"]), repr(job["result"])] == [repr(value)] * 2
        assert job["progress"] == {"done": 1, "total": 2, "message": str(value)[:100]}


async def test_value_of_a_subclass_is_stored_as_its_base_class(
    rig: Rig, subtests: pytest.Subtests
) -> None:
    for what, value in unusual_values.STORED.items():
        with subtests.test(what):
            job = await rig.run("return_value", what=what)
            assert (job["state"], repr(job["result"])) == ("success", repr(value))


def test_enum_is_no_larger_than_its_value() -> None:
    stored = ["red"] * 100
    limit_bytes = len(to_json(stored))
    assert (
        to_json_value([unusual_values.Colour.RED] * 100, "result", limit_bytes=limit_bytes)
        == stored
    )


async def test_rejected_value_fails_its_job_at_once(rig: Rig, subtests: pytest.Subtests) -> None:
    for what, message in unusual_values.REJECTED.items():
        with subtests.test(what):
            job = await rig.run("return_value", what=what)
            assert (job["state"], job["attempt"]) == ("failed", 1)
            assert job["error"]["message"] == message


async def test_progress_accepts_only_whole_numbers_up_to_2_to_the_53(
    rig: Rig, subtests: pytest.Subtests
) -> None:
    for what in unusual_values.PROGRESS:
        with subtests.test(what):
            job = await rig.run("report_progress", what=what)
            expected = job["error"]["message"] if job["state"] == "failed" else job["progress"]
            assert (repr(expected), job["attempt"]) == (
                repr(unusual_values.EXPECTED_PROGRESS[what]),
                1,
            )


async def test_job_options_must_be_whole_numbers(rig: Rig, subtests: pytest.Subtests) -> None:
    for what in unusual_values.OPTIONS:
        with subtests.test(what):
            job = await rig.run("schedule_with_options", what=what)
            assert job.get("error", {}).get("message") == unusual_values.OPTION_ERRORS[what]
            if job["state"] == "success":
                planned = await rig.job(job["result"])
                expected = planned["priority"], planned["timeoutMs"], planned["lane"]
                assert repr(expected) == repr((2, 2_000, "default/:2"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Int64(5), 5),
        (3_000_000_000, 3_000_000_000),
        (ID, str(ID)),
        (NOON, "2030-01-31T12:00:00.000Z"),
        ({"$ref": "x", "$id": ID}, {"$ref": "x", "$id": str(ID)}),
        ({"rows": [{"n": Int64(2**40), "id": ID}]}, {"rows": [{"n": 2**40, "id": str(ID)}]}),
    ],
)
async def test_function_may_return_documents_of_its_own_collection(
    rig: Rig, value: object, expected: object
) -> None:
    await rig.engine.mongo["notes"].insert_one({"_id": "note", "value": value})
    job = await rig.run("read_note")
    assert (job["state"], repr(job["result"])) == ("success", repr(expected))


@pytest.mark.parametrize(
    "value",
    [Decimal128("1.10"), Binary(b"x", 5), Regex("x"), Timestamp(1, 1), MinKey()],
)
async def test_value_without_one_json_form_is_rejected_with_path_and_type(
    rig: Rig, value: object
) -> None:
    await rig.engine.mongo["notes"].insert_one({"_id": "note", "value": {"rows": [value]}})
    job = await rig.run("read_note")
    message = f"result.rows.0 has type {type(value).__name__}, which is not JSON"
    assert (job["state"], job["attempt"]) == ("failed", 1)
    assert job["error"]["message"].startswith(message)


@pytest.mark.parametrize("value", [Decimal("1.10"), NOON.date(), UUID(int=1)])
def test_result_of_a_type_that_only_arguments_may_have_is_rejected(value: object) -> None:
    message = rf"result\.rows has type {type(value).__name__}, which is not JSON: convert it"
    with pytest.raises(NotJson, match=message):
        to_json_value({"rows": value}, "result")


async def test_values_of_jobs_that_end_together_are_not_mixed(rig: Rig) -> None:
    ids = await asyncio.gather(*(rig.schedule("echo", value=value) for value in UNUSUAL_JSON * 5))
    jobs = [await rig.wait_until_ended(job_id) for job_id in ids]
    assert [repr(job["result"]) for job in jobs] == [repr(value) for value in UNUSUAL_JSON * 5]


@pytest.mark.parametrize("message", ["$owner", "$$NOW", "a.b", '{"$literal": 1}'])
async def test_error_is_stored_unchanged(rig: Rig, message: str) -> None:
    job = await rig.run("fail_with", message=message)
    failure = (await rig.all("failures"))[0]
    assert {job["error"]["message"], failure["error"]["message"]} == {message}
    assert job["timeline"][-1]["error"]["message"] == message
    assert failure["data"] == {"message": message}


async def test_function_with_an_unusual_failure_fails_once(
    rig: Rig, subtests: pytest.Subtests
) -> None:
    for behavior, name in ABNORMAL_ENDS.items():
        with subtests.test(behavior):
            job = await rig.run("end_abnormally", behavior=behavior)
            assert (job["state"], job["attempt"]) == ("failed", 1)
            assert job["error"]["name"] == name


async def test_rejected_result_does_not_affect_other_jobs(rig: Rig) -> None:
    bad = [rig.schedule("end_abnormally", behavior=behavior) for behavior in ABNORMAL_ENDS]
    good = [rig.schedule("echo", value=number) for number in range(20)]
    ids = await asyncio.gather(*bad, *good)
    jobs = [await rig.wait_until_ended(job_id) for job_id in ids]
    assert [job["state"] for job in jobs] == ["failed"] * len(bad) + ["success"] * len(good)
    assert {job["attempt"] for job in jobs} == {1}


async def test_step_down_during_a_write_does_not_affect_jobs(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    outcome_store = OutcomeStore(rig.engine.mongo)
    jobs, errors = outcome_store._jobs, [WriteError("Not primary while writing", 189)]
    update = jobs.update_many

    async def interrupted(*args: Any, **options: Any) -> Any:
        if errors:
            raise errors.pop()
        return await update(*args, **options)

    monkeypatch.setattr(jobs, "update_many", interrupted)
    (claimed,) = await rig.claim(await rig.schedule("echo"))
    outcome = Attempt(claimed, 9).outcome_of_success(1)
    await OutcomeWriter(outcome_store, rig.engine.clock, lambda _: None).write(outcome)
    assert (await rig.job(claimed.id))["state"] == "success"


async def test_large_results_that_end_together_are_all_stored(rig: Rig) -> None:
    ids = await asyncio.gather(
        *(rig.schedule("return_large_text", size=200_000) for _ in range(200))
    )
    jobs = [await rig.wait_until_ended(job_id) for job_id in ids]
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}


@pytest.mark.parametrize("value", [2**63, -(2**70), {"a\0": 1}, [["\ud800"]]])
async def test_value_that_cannot_be_stored_is_rejected_at_the_call(
    rig_without_worker: Rig, value: Any
) -> None:
    with pytest.raises(BadRequest) as raised:
        await rig_without_worker.schedule("echo", value=value)
    assert raised.value.issues[0].path[:2] == ("args", "value")


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("self-containing list", "too_deep"),
        ("deeply nested list", "too_deep"),
        ("doubling list", "too_long"),
    ],
)
async def test_endless_arguments_are_rejected_at_the_call(
    rig_without_worker: Rig, what: str, code: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await rig_without_worker.schedule("echo", value=unusual_values.VALUES[what])
    assert [(issue.path, issue.code) for issue in raised.value.issues] == [(("args",), code)]


async def test_key_that_cannot_be_stored_fails_only_its_own_call(rig_without_worker: Rig) -> None:
    new_job = await rig_without_worker.build_job("echo")
    new_jobs = [replace(new_job, key=key) for key in ("a", "\ud800", "b")]
    results = await asyncio.gather(
        *(rig_without_worker.engine.schedule(p) for p in new_jobs), return_exceptions=True
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
