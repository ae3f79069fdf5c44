"""Validation of inputs: every limit, and the reported issues."""

from datetime import UTC, datetime
from typing import Any

import pytest
from strawberry.scalars import JSON

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.functions.answers import MAX_TIMEOUT_MS
from ostinato.jobs.functions.batch import MAX_PAGE_DELAY_MS
from ostinato.jobs.ids import new_id
from ostinato.schema.execution.encoding import decode_json
from ostinato.schema.ids import global_id
from ostinato.schema.inputs.crons import (
    CronFilter,
    CronIdInput,
    PreviewCronInput,
    RegisterCronInput,
)
from ostinato.schema.inputs.filters import JobFilter
from ostinato.schema.inputs.limits import MAX_DELAY_MS
from ostinato.schema.inputs.scheduling import JobIdInput, ScheduleJobInput, ScheduleJobsInput
from ostinato.schema.inputs.tasks_batches_requests import (
    AddItemsInput,
    BatchIdInput,
    CreateWithTimeoutInput,
    StartBatchInput,
    StartRecurringTaskInput,
    TaskIdInput,
)
from ostinato.schema.inputs.validation import validate_input
from tests.api.conftest import Client

VALID_INPUTS: dict[type, dict[str, Any]] = {
    RegisterCronInput: {"name": "n", "interval_ms": 1_000},
    CronIdInput: {"cron_id": global_id("Cron", new_id())},
    PreviewCronInput: {"cronspec": "@daily"},
    CronFilter: {},
    ScheduleJobInput: {"function_name": "f.f"},
    JobIdInput: {"job_id": global_id("Job", new_id())},
    JobFilter: {},
    StartRecurringTaskInput: {"task_id": "t", "interval_ms": 1_000},
    TaskIdInput: {"task_id": "t"},
    AddItemsInput: {"items": [JSON(1)]},
    StartBatchInput: {},
    BatchIdInput: {"batch_id": global_id("Batch", new_id())},
    CreateWithTimeoutInput: {"data": JSON(None)},
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def lists(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


INVALID_INPUTS: list[tuple[type, dict[str, Any], tuple[str | int, ...], str]] = [
    (RegisterCronInput, {"name": ""}, ("name",), "string_too_short"),
    (RegisterCronInput, {"name": "x" * 201}, ("name",), "string_too_long"),
    (RegisterCronInput, {"name": "a\0b"}, ("name",), "null_character"),
    (RegisterCronInput, {"name": "\ud800"}, ("name",), "string_unicode"),
    (RegisterCronInput, {"interval_ms": 999}, ("intervalMs",), "too_small"),
    (RegisterCronInput, {"interval_ms": 2**50}, ("intervalMs",), "too_big"),
    (RegisterCronInput, {"tz": "Mars/Olympus"}, ("tz",), "invalid_time_zone"),
    (RegisterCronInput, {"args": [1]}, ("args",), "not_an_object"),
    (RegisterCronInput, {"args": {"a": "x" * MAX_ARGS_BYTES}}, ("args",), "too_long"),
    (RegisterCronInput, {"args": nested(31)}, ("args",), "too_deep"),
    (RegisterCronInput, {"args": {"a": nested(29) | {"b": lists(30)}}}, ("args",), "too_deep"),
    (RegisterCronInput, {"args": {"\0": 1}}, ("args",), "null_character"),
    (RegisterCronInput, {"args": {"a": "\ud800"}}, ("args",), "surrogate"),
    (RegisterCronInput, {"args": {"a": 2**63}}, ("args",), "out_of_range"),
    (RegisterCronInput, {"args": {"a": float("inf")}}, ("args",), "out_of_range"),
    (CreateWithTimeoutInput, {"data": float("nan")}, ("data",), "out_of_range"),
    (RegisterCronInput, {"jitter_ms": -1}, ("jitterMs",), "greater_than_equal"),
    (RegisterCronInput, {"jitter_ms": 86_400_001}, ("jitterMs",), "less_than_equal"),
    (CronIdInput, {"cron_id": "nonsense"}, ("cronId",), "invalid_id"),
    (CronIdInput, {"cron_id": global_id("Job", new_id())}, ("cronId",), "invalid_id"),
    (PreviewCronInput, {"count": 0}, ("count",), "greater_than_equal"),
    (PreviewCronInput, {"count": 1_001}, ("count",), "less_than_equal"),
    (PreviewCronInput, {"cronspec": "61 * * * *"}, ("cronspec",), "invalid_cronspec"),
    (CronFilter, {"function_name": "x" * 201}, ("functionName",), "string_too_long"),
    (ScheduleJobInput, {"run_after_ms": -1}, ("runAfterMs",), "greater_than_equal"),
    (ScheduleJobInput, {"run_after_ms": MAX_DELAY_MS + 1}, ("runAfterMs",), "less_than_equal"),
    (ScheduleJobInput, {"key": ""}, ("key",), "string_too_short"),
    (ScheduleJobInput, {"function_name": ""}, ("functionName",), "string_too_short"),
    (JobIdInput, {"job_id": ""}, ("jobId",), "invalid_id"),
    (JobFilter, {"function_name": ""}, ("functionName",), "string_too_short"),
    (StartRecurringTaskInput, {"interval_ms": 999}, ("intervalMs",), "greater_than_equal"),
    (TaskIdInput, {"task_id": "x" * 201}, ("taskId",), "string_too_long"),
    (AddItemsInput, {"items": []}, ("items",), "too_short"),
    (AddItemsInput, {"items": [1] * 1_001}, ("items",), "too_long"),
    (AddItemsInput, {"items": [1, "x" * MAX_ARGS_BYTES]}, ("items", 1), "too_long"),
    (AddItemsInput, {"items": [1, "\0"]}, ("items", 1), "null_character"),
    (StartBatchInput, {"batch_size": 0}, ("batchSize",), "greater_than_equal"),
    (StartBatchInput, {"batch_size": 1_001}, ("batchSize",), "less_than_equal"),
    (StartBatchInput, {"delay_ms": -1}, ("delayMs",), "greater_than_equal"),
    (StartBatchInput, {"delay_ms": MAX_PAGE_DELAY_MS + 1}, ("delayMs",), "less_than_equal"),
    (BatchIdInput, {"batch_id": "x" * 10_000}, ("batchId",), "invalid_id"),
    (CreateWithTimeoutInput, {"timeout_ms": 0}, ("timeoutMs",), "greater_than_equal"),
    (CreateWithTimeoutInput, {"timeout_ms": MAX_TIMEOUT_MS + 1}, ("timeoutMs",), "less_than_equal"),
    (CreateWithTimeoutInput, {"data": "x" * MAX_ARGS_BYTES}, ("data",), "too_long"),
]


def _issues(kind: type, **changes: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        validate_input(kind(**(VALID_INPUTS[kind] | changes)), "input")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (ScheduleJobInput, {"priority": 10}, "priority: must be 0 to 9, got 10"),
        (RegisterCronInput, {"max_runs": 0}, "maxRuns: must be 1 to 1,000,000,000, got 0"),
        (
            ScheduleJobsInput,
            {"jobs": [ScheduleJobInput(function_name="f.f", priority=-1)]},
            "jobs.0.priority: must be 0 to 9, got -1",
        ),
    ],
)
def test_number_out_of_range_is_rejected_with_both_limits(
    kind: type, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        validate_input(kind(**(VALID_INPUTS.get(kind, {}) | changes)), "input")
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", VALID_INPUTS)
def test_valid_input_is_accepted(kind: type) -> None:
    assert isinstance(validate_input(kind(**VALID_INPUTS[kind]), "input"), kind)


@pytest.mark.parametrize(("kind", "change", "path", "code"), INVALID_INPUTS)
def test_an_invalid_value_is_an_issue_with_its_path(
    kind: type, change: dict[str, Any], path: tuple[str | int, ...], code: str
) -> None:
    issues = _issues(kind, **change).issues
    assert [(issue.path, issue.code) for issue in issues] == [(("input", *path), code)]


def test_json_of_30_levels_is_accepted() -> None:
    input_ = {"args": {"a": lists(29), "b": nested(29)}}
    validate_input(RegisterCronInput(**(VALID_INPUTS[RegisterCronInput] | input_)), "input")


def test_all_issues_of_an_input_are_reported_together() -> None:
    error = _issues(RegisterCronInput, name="", interval_ms=1, tz="Mars", args=[1], jitter_ms=-1)
    paths = {issue.path[1] for issue in error.issues}
    assert paths == {"name", "intervalMs", "tz", "args", "jitterMs"}


def test_an_issue_names_the_value_and_the_limit() -> None:
    error = _issues(StartBatchInput, batch_size=0)
    assert str(error) == "batchSize: must be 1 to 1,000, got 0"


@pytest.mark.parametrize("number", ["1e400", "9" * 5_000, "9" * 310])
def test_an_issue_for_a_too_large_number_names_its_path_and_the_limit(number: str) -> None:
    error = _issues(ScheduleJobInput, args=decode_json(f'{{"a":[1,{number}]}}'))
    assert error.issues[0].path == ("input", "args")
    assert str(error).startswith("args: a.1: ")
    assert ": must be " in str(error)


async def test_a_literal_with_too_many_digits_is_rejected_as_too_large(
    ann: Client,
) -> None:
    mutation = "mutation { createWithTimeout(input: {data: %s}) { request { id } } }"
    answer = await ann(mutation % ("9" * 5_000))
    problem = "must be a number within ±1.7976931348623157e+308: use a string"
    assert answer.message == f"data: {problem}"


def test_a_nul_character_is_escaped_in_the_message() -> None:
    error = _issues(CreateWithTimeoutInput, data={"a\0b": "\0"})
    assert "\0" not in str(error)
    assert "\\u0000" in str(error)


def test_a_long_value_is_truncated_in_the_message() -> None:
    assert len(str(_issues(RegisterCronInput, name="x" * 100_000))) < 200


def test_ids_are_decoded() -> None:
    identifier = new_id()
    assert validate_input(JobIdInput(job_id=global_id("Job", identifier))).job_id == identifier


def test_omitted_fields_are_none() -> None:
    input_ = validate_input(ScheduleJobInput(function_name="f.f"))
    assert [input_.args, input_.run_after_ms, input_.run_at, input_.key] == [None] * 4


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"interval_ms": None}, "Either intervalMs or cronspec required"),
        (
            {"cronspec": "@daily"},
            "intervalMs and cronspec are mutually exclusive: pass one of them",
        ),
    ],
)
def test_a_cron_has_exactly_one_schedule(schedule: dict[str, Any], message: str) -> None:
    error = _issues(RegisterCronInput, **schedule)
    assert str(error) == message
    assert [issue.path[1] for issue in error.issues] == ["intervalMs", "cronspec"]


def test_a_job_has_at_most_one_time() -> None:
    times = {"run_after_ms": 0, "run_at": datetime(2030, 1, 1, tzinfo=UTC)}
    assert [i.code for i in _issues(ScheduleJobInput, **times).issues] == ["exclusive"] * 2


def test_a_cron_must_end_after_it_starts() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    issues = _issues(RegisterCronInput, start_at=noon, end_at=noon).issues
    assert [issue.path for issue in issues] == [("input", "endAt")]
