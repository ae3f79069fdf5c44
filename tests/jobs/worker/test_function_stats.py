"""A worker records which functions may share a transaction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from ostinato.jobs.worker.function_stats import FunctionStats, SharingClass

LABEL = {"errorLabels": ["TransientTransactionError"]}
ENDINGS: dict[str, Exception | None] = {
    "returns": None,
    "raises": ValueError("no"),
    "conflicts": OperationFailure("WriteConflict", 112, LABEL),
}


def run(stats: FunctionStats, ending: str, name: str = "it") -> None:
    """Record one outcome of a short function."""
    error = ENDINGS[ending]
    if error is None:
        with stats.measured(name):
            return
    with pytest.raises(type(error)), stats.measured(name):
        raise error


def test_function_that_never_ran_gets_its_own_transaction() -> None:
    stats = FunctionStats()
    assert stats.sharing_class("it") is SharingClass.SOLO
    run(stats, "returns")
    assert stats.sharing_class("it") is SharingClass.ANY
    assert stats.sharing_class("another") is SharingClass.SOLO


@pytest.mark.parametrize(
    ("ending", "sharing_class"),
    [("raises", SharingClass.SOLO), ("conflicts", SharingClass.CONTENDED)],
)
def test_function_that_often_conflicts_shares_only_with_other_such_functions(
    ending: str, sharing_class: SharingClass
) -> None:
    stats = FunctionStats()
    run(stats, "returns")
    run(stats, ending)
    assert stats.sharing_class("it") is sharing_class
    run(stats, "returns")
    assert stats.sharing_class("it") is SharingClass.ANY, "one restart is not frequent"
    for _ in range(20):
        run(stats, ending)
        run(stats, "returns")
    assert stats.sharing_class("it") is sharing_class
    for _ in range(30):
        run(stats, "returns")
    assert stats.sharing_class("it") is SharingClass.ANY


@given(st.lists(st.sampled_from(sorted(ENDINGS)), min_size=1))
def test_outcomes_of_a_function_do_not_affect_the_sharing_class_of_others(
    endings: list[str],
) -> None:
    stats = FunctionStats()
    run(stats, "returns", "a")
    for ending in endings:
        run(stats, ending, "b")
    assert stats.sharing_class("a") is SharingClass.ANY
