"""The failures in a row of a cron's runs, in the order of their ticks."""

import pytest

from ostinato.jobs.run_history import count_failures, executions_in

STATES = {
    "s": "success", "f": "failed", "c": "canceled", "p": "pending", "r": "inProgress", "-": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "runs", "in_a_row", "tracked", "stored"),
    [
        (0, "", 0, "", 0),
        (2, "f", 3, "", 3),
        (2, "s", 0, "", 0),
        (2, "c", 2, "", 2),
        (2, "-", 0, "", 0),
        (1, "ffsf", 1, "", 1),
        (1, "fr", 2, "r", 2),
        (1, "rf", 2, "rf", 1),
        (1, "psf", 1, "psf", 1),
        (0, "ffrff", 4, "rff", 2),
        (0, "frsfp", 1, "rsfp", 1),
    ],
)
def test_failures_are_counted_since_the_last_success(
    before: int, runs: str, in_a_row: int, tracked: str, stored: int
) -> None:
    ids = [f"{n}{kind}" for n, kind in enumerate(runs)]
    states = {each: state for each in ids if (state := STATES[each[-1]])}
    found = count_failures(before, ids, states)
    assert (found.failures_in_a_row, found.failures) == (in_a_row, stored)
    assert "".join(each[-1] for each in found.tracked) == tracked
    assert [each[-1] for each in found.active] == [kind for kind in runs if kind in "pr"]


def test_old_runs_are_not_waited_for_beyond_a_limit() -> None:
    runs = [str(n) for n in range(5)]
    found = count_failures(0, runs, dict.fromkeys(runs, "inProgress"), max_tracked=2)
    assert found.tracked == ("3", "4")


@pytest.mark.parametrize("stored", [None, 5, "abc", {"a": 1}])
def test_malformed_runs_are_ignored(stored: object) -> None:
    assert executions_in({"executions": stored, "failuresInARow": "x"}) == ([], 0)
