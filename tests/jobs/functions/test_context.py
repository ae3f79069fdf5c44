"""The context of a function: its log, and the calls that its kind allows."""

import re

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.context import Context
from ostinato.jobs.errors import WrongKind
from ostinato.jobs.records import JobState
from tests.jobs.functions.pattern_rig import PatternRig


@pytest.mark.parametrize("function", ["work.writeLine", "work.writeLineOutside"])
async def test_a_log_line_of_a_function_has_its_job_and_attempt(
    rig: PatternRig, function: str
) -> None:
    with capture_logs() as lines:
        job_id = await rig.schedule(function, {})
        await rig.wait_until_settled()
    [line] = [line for line in lines if line["event"] == "line.written"]
    assert (line["job_id"], line["attempt"]) == (job_id, 1)


async def test_the_demo_task_returns_its_time_in_the_format_of_the_api(rig: PatternRig) -> None:
    await rig.schedule("tasks.runTask", {"name": "x"})
    await rig.wait_until_settled()
    [job] = await rig.jobs("tasks.runTask")
    assert isinstance(job.result, dict)
    assert re.fullmatch(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\d\.\d{3}Z", str(job.result["ranAt"]))


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        ("work.callMutationWithin", "calls another function directly"),
        ("work.writeJobs", "may read 'jobs' but not write to it: schedule and cancel jobs with"),
        ("work.mergeJobs", "a function may not use $merge: write with insert_many"),
        ("work.callActionAsMutation", "is an action: call it with this ctx"),
    ],
)
async def test_a_call_not_allowed_for_its_kind_fails_the_job_with_advice(
    rig: PatternRig, function: str, advice: str
) -> None:
    await rig.schedule(function, {})
    await rig.wait_until_settled()
    [job] = await rig.jobs(function)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert advice in job.error.message


async def test_a_write_of_an_action_takes_effect_although_the_action_fails(
    rig: PatternRig,
) -> None:
    await rig.schedule("work.writeAndFail", {})
    await rig.wait_until_settled()
    [job] = await rig.jobs("work.writeAndFail")
    assert job.state is JobState.FAILED
    assert await rig.all("notes") == [{"_id": "note"}]


async def test_a_graphql_mutation_has_no_job(rig: PatternRig) -> None:
    async def body(ctx: Context) -> str:
        return ctx.job.id

    with pytest.raises(WrongKind, match=r"a GraphQL mutation has no ctx\.job: use ctx\.owner"):
        await rig.run_mutation(body)
