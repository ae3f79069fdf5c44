"""Errors that cannot be printed, or only slowly, fail only their own job, and only once."""

import itertools
import sys

import pytest

from ostinato.jobs.retry import NO_RETRY
from ostinato.jobs.worker.stored_errors import MAX_TRACEBACK_CHARS, describe_exception
from tests.engine.rig import Rig
from tests.engine.self_cancelling import HUGE, UNPRINTABLE


async def test_unprintable_error_fails_its_job_once(rig: Rig, subtests: pytest.Subtests) -> None:
    for what, kind in itertools.product(UNPRINTABLE, ["", "_in_mutation"]):
        with subtests.test(what + kind):
            job = await rig.run(f"raise_unprintable{kind}", what=what)
            assert (job["state"], job["attempt"]) == ("failed", 1)
            # reading the class of this one raises
            also_raised = {"ValueError"} if what == "_HidesItsClass" else set()
            assert job["error"]["name"] in {what, "CancelledError", *also_raised}
            assert (await rig.run("echo"))["state"] == "success"


@pytest.mark.parametrize("what", UNPRINTABLE)
def test_retry_policy_applies_to_an_unprintable_error(what: str) -> None:
    assert NO_RETRY.covers(UNPRINTABLE[what]())


@pytest.mark.parametrize("what", HUGE)
def test_enormous_error_is_formatted_only_up_to_the_stored_length(what: str) -> None:
    error, calls = HUGE[what](), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        stored = describe_exception(error)
    finally:
        sys.setprofile(None)
    assert calls < 20_000  # 100,000 errors take more than that to format
    assert 0 < len(stored["traceback"]) <= MAX_TRACEBACK_CHARS
    assert "ValueError: 0" in stored["traceback"] or "ValueError: 99998" in stored["traceback"]
