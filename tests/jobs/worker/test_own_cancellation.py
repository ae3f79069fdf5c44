"""A cancellation that the worker did not request is an error of the function; a timeout is not."""

from dataclasses import replace

import pytest

from tests.engine.functions import gate
from tests.engine.rig import Document, Rig, state_changes
from tests.engine.self_cancelling import FAILING, HARMLESS, ON_RETURN

ONCE = [(None, "pending"), ("pending", "inProgress")]
OTHERS = 8
TIMEOUT_MS = 1_500
AFTER_TIMEOUT = ["returns", "raises", "cancels itself"]


@pytest.mark.parametrize("behavior", FAILING)
async def test_action_that_cancels_itself_fails_after_one_start(rig: Rig, behavior: str) -> None:
    job = await rig.run("cancel_itself", behavior=behavior)
    assert state_changes(job) == [*ONCE, ("inProgress", "failed")]
    assert (job["error"]["name"], gate.visits) == ("CancelledError", 1)
    assert "canceled" in job["error"]["message"]


@pytest.mark.parametrize("behavior", [*HARMLESS, ON_RETURN])
async def test_action_that_returns_succeeds_even_if_it_canceled_its_task(
    rig: Rig, behavior: str
) -> None:
    job = await rig.run("cancel_itself", behavior=behavior)
    assert state_changes(job) == [*ONCE, ("inProgress", "success")]
    assert (job["result"], gate.visits) == ("done", 1)


@pytest.mark.parametrize("behavior", [*FAILING, ON_RETURN])
async def test_mutation_that_cancels_itself_fails_alone(rig: Rig, behavior: str) -> None:
    await rig.run("cancel_itself_in_mutation", name="first")
    jobs = await run_in_one_batch(rig, "cancel_itself_in_mutation", behavior)
    bad = jobs.pop()
    assert (bad["state"], bad["attempt"], bad["error"]["name"]) == ("failed", 1, "CancelledError")
    assert await only_others_left_effects(rig, jobs)


async def test_mutation_that_swallows_its_own_cancellation_commits(rig: Rig) -> None:
    job = await rig.run("cancel_itself_in_mutation", name="one", behavior="swallowed")
    assert (job["state"], job["attempt"]) == ("success", 1)


@pytest.mark.parametrize("behavior", AFTER_TIMEOUT)
async def test_timed_out_action_fails_however_it_handles_cancellation(
    rig: Rig, behavior: str
) -> None:
    job = await rig.run("exceed_timeout", behavior=behavior)
    assert (job["state"], job["attempt"], job["error"]["name"]) == ("failed", 1, "TimeoutError")
    assert job["error"]["message"] == "functions.exceedTimeout took longer than 50 ms"
    assert ("cleanup failed" in job["error"]["traceback"]) == (behavior == "raises")


@pytest.mark.parametrize("behavior", ["returns", "raises"])
async def test_timed_out_mutation_leaves_no_writes_however_it_handles_cancellation(
    rig: Rig, behavior: str
) -> None:
    new_job = await rig.build_job(
        "exceed_timeout_in_mutation", {"name": "late", "behavior": behavior}
    )
    late = await rig.engine.schedule(replace(new_job, timeout_ms=TIMEOUT_MS))
    job = await rig.wait_until_ended(late.id)
    assert (job["state"], job["attempt"], job["error"]["name"]) == ("failed", 1, "TimeoutError")
    assert job["error"]["message"] == "functions.exceedTimeoutInMutation took longer than 1500 ms"
    assert await rig.all("effects") == []


@pytest.mark.parametrize("behavior", ["returns", "raises"])
async def test_mutation_that_times_out_does_not_affect_the_others(rig: Rig, behavior: str) -> None:
    await rig.run("exceed_timeout_in_mutation", name="first")
    jobs = await run_in_one_batch(rig, "exceed_timeout_in_mutation", behavior, TIMEOUT_MS)
    bad = jobs.pop()
    assert (bad["state"], bad["error"]["name"]) == ("failed", "TimeoutError")
    assert await only_others_left_effects(rig, jobs)


async def test_timeout_error_raised_by_the_function_is_its_own_error(rig: Rig) -> None:
    job = await rig.run("raise_inner_timeout")
    assert (job["state"], job["error"]["name"], job["error"]["message"]) == (
        *("failed", "TimeoutError", ""),
    )


@pytest.mark.parametrize("label", ["", "TransientTransactionError", "RetryableWriteError"])
async def test_retry_policy_covers_errors_of_a_client_opened_by_a_mutation(
    rig: Rig, label: str
) -> None:
    job = await rig.run("use_own_client", label=label)
    assert state_changes(job) == [*ONCE, ("inProgress", "failed")]
    assert (job["error"]["name"], gate.visits) == ("AutoReconnect", 1)
    assert await rig.all("effects") == []


async def run_in_one_batch(
    rig: Rig, name: str, behavior: str, timeout_ms: int | None = None
) -> list[Document]:
    """Run some mutations that succeed and one that fails, which is last in the result."""
    good = [await rig.build_job(name, {"name": str(number)}) for number in range(OTHERS)]
    bad = replace(
        await rig.build_job(name, {"name": "bad", "behavior": behavior}), timeout_ms=timeout_ms
    )
    middle = OTHERS // 2
    jobs = [await rig.engine.schedule(new_job) for new_job in [*good[:middle], bad, *good[middle:]]]
    jobs.append(jobs.pop(middle))
    return [await rig.wait_until_ended(job.id, within=30) for job in jobs]


async def only_others_left_effects(rig: Rig, others: list[Document]) -> bool:
    assert {(job["state"], job["attempt"]) for job in others} == {("success", 1)}
    effects = {effect["name"] for effect in await rig.all("effects")}
    return effects == {"first", *map(str, range(OTHERS))}
