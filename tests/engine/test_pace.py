"""A worker learns with whom a function may share a transaction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from ostinato.jobs.worker.pace import Company, Pace

LABEL = {"errorLabels": ["TransientTransactionError"]}
ENDINGS: dict[str, Exception | None] = {
    "well": None,
    "raises": ValueError("no"),
    "meets a rival": OperationFailure("WriteConflict", 112, LABEL),
}


def run(pace: Pace, how: str, name: str = "it") -> None:
    """Let a function end in that way, at once."""
    error = ENDINGS[how]
    if error is None:
        with pace.measured(name):
            return
    with pytest.raises(type(error)), pace.measured(name):
        raise error


def test_one_that_was_never_run_runs_alone() -> None:
    pace = Pace()
    assert pace.company("it") is Company.NONE
    run(pace, "well")
    assert pace.company("it") is Company.ANY
    assert pace.company("another") is Company.NONE


@pytest.mark.parametrize(
    ("how", "company"), [("raises", Company.NONE), ("meets a rival", Company.RIVALS)]
)
def test_one_that_often_makes_others_begin_anew_is_kept_from_them(
    how: str, company: Company
) -> None:
    pace = Pace()
    run(pace, "well")
    run(pace, how)
    assert pace.company("it") is company
    run(pace, "well")
    assert pace.company("it") is Company.ANY, "once is not often"
    for _ in range(20):
        run(pace, how)
        run(pace, "well")
    assert pace.company("it") is company
    for _ in range(30):
        run(pace, "well")
    assert pace.company("it") is Company.ANY


@given(st.lists(st.sampled_from(sorted(ENDINGS)), min_size=1))
def test_how_one_ends_says_nothing_of_another(endings: list[str]) -> None:
    pace = Pace()
    run(pace, "well", "calm")
    for how in endings:
        run(pace, how, "wild")
    assert pace.company("calm") is Company.ANY
