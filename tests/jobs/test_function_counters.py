"""Counters of functions have a bounded number of labels."""

from ostinato.jobs.function_counters import BOUNDS_S, MAX_FUNCTIONS, OTHER, FunctionCounters

NAMES = [f"shop.f{number:03}" for number in range(MAX_FUNCTIONS + 5)]


def test_functions_beyond_the_bound_and_unknown_ones_share_a_label() -> None:
    counters = FunctionCounters(reversed(NAMES))
    for name in (*NAMES, "not.registered"):
        counters.of(name).failures += 1
    counts = counters.take()
    assert set(counts) == {*NAMES[:MAX_FUNCTIONS], OTHER}
    assert counts[OTHER].failures == 6


def test_duration_is_counted_by_the_smallest_bound_that_it_does_not_exceed() -> None:
    counts = FunctionCounters(["a.b"]).of("a.b")
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] + 0.001, BOUNDS_S[-1] + 1):
        counts.run_time.observe(seconds)
    assert counts.run_time.counts == {0: 2, 1: 1, len(BOUNDS_S): 1}


def test_counts_that_were_not_stored_are_added_to_the_next() -> None:
    counters = FunctionCounters(["a.b"])
    counters.of("a.b").retries += 1
    counters.of("a.b").lateness.observe(2.0)
    taken = counters.take()
    counters.of("a.b").retries += 1
    counters.put_back(taken)
    counts = counters.take()["a.b"]
    assert (counts.retries, counts.lateness.sum_s, counts.lateness.counts) == (2, 2.0, {5: 1})
    assert counters.take() == {}
