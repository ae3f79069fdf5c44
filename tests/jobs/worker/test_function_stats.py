"""A worker learns which functions may share a transaction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from ostinato.jobs.worker.function_stats import BatchClass, FunctionStats

LABEL = {"errorLabels": ["TransientTransactionError"]}
ENDINGS: dict[str, Exception | None] = {
    "well": None,
    "raises": ValueError("no"),
    "meets a rival": OperationFailure("WriteConflict", 112, LABEL),
}


def run(stats: FunctionStats, how: str, name: str = "it") -> None:
    """Record one outcome of a short function."""
    error = ENDINGS[how]
    if error is None:
        with stats.measured(name):
            return
    with pytest.raises(type(error)), stats.measured(name):
        raise error


def test_function_that_never_ran_gets_its_own_transaction() -> None:
    stats = FunctionStats()
    assert stats.batch_class("it") is BatchClass.SOLO
    run(stats, "well")
    assert stats.batch_class("it") is BatchClass.ANY
    assert stats.batch_class("another") is BatchClass.SOLO


@pytest.mark.parametrize(
    ("how", "batch_class"), [("raises", BatchClass.SOLO), ("meets a rival", BatchClass.CONTENDED)]
)
def test_function_that_often_restarts_its_batch_is_batched_separately(
    how: str, batch_class: BatchClass
) -> None:
    stats = FunctionStats()
    run(stats, "well")
    run(stats, how)
    assert stats.batch_class("it") is batch_class
    run(stats, "well")
    assert stats.batch_class("it") is BatchClass.ANY, "once is not often"
    for _ in range(20):
        run(stats, how)
        run(stats, "well")
    assert stats.batch_class("it") is batch_class
    for _ in range(30):
        run(stats, "well")
    assert stats.batch_class("it") is BatchClass.ANY


@given(st.lists(st.sampled_from(sorted(ENDINGS)), min_size=1))
def test_outcomes_of_a_function_do_not_affect_the_batch_class_of_others(endings: list[str]) -> None:
    stats = FunctionStats()
    run(stats, "well", "calm")
    for how in endings:
        run(stats, how, "wild")
    assert stats.batch_class("calm") is BatchClass.ANY
