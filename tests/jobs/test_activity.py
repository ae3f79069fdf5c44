"""Series of activity: buckets aligned to the epoch, and percentiles of histograms."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ostinato.jobs.activity import Activity, ActivityRange, BucketCounts, Percentiles
from ostinato.jobs.function_counters import FINE_BOUNDS_S, Histogram

NOW = datetime(2030, 1, 1, 12, 7, 31, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reach", "newest", "oldest"),
    [
        (ActivityRange.FIFTEEN_MINUTES, "12:07:30", "11:52:45"),
        (ActivityRange.ONE_HOUR, "12:07:00", "11:08:00"),
        (ActivityRange.ONE_DAY, "12:00:00", "12:15:00"),
    ],
)
def test_newest_bucket_contains_now_and_the_oldest_is_a_range_earlier(
    reach: ActivityRange, newest: str, oldest: str
) -> None:
    starts = reach.buckets.starts(NOW)
    assert [f"{starts[at]:%H:%M:%S}" for at in (-1, 0)] == [newest, oldest]
    assert len(starts) == reach.buckets.count
    assert {later - earlier for earlier, later in pairwise(starts)} == {reach.buckets.size}


def test_buckets_without_counts_are_zero_and_have_no_percentiles() -> None:
    buckets = ActivityRange.ONE_HOUR.buckets
    counted = BucketCounts(succeeded=3, failed=2, retried=1)
    activity = Activity.build(buckets, NOW, {buckets.start_of(NOW): counted})
    *empty, newest = activity.points
    assert (newest.succeeded, newest.failed, newest.retried) == (3, 2, 1)
    assert {(each.succeeded, each.failed, each.retried) for each in empty} == {(0, 0, 0)}
    assert {each.run_time for each in empty} == {Percentiles(p50_ms=None, p95_ms=None)}
    assert activity.bucket_ms == timedelta(minutes=1) // timedelta(milliseconds=1)


@pytest.mark.parametrize("seconds", [0.0001, 0.003, 0.0123, 0.4, 7.0, 1_000.0, 80_000.0])
def test_percentiles_are_within_a_quarter_of_equal_durations(seconds: float) -> None:
    histogram = Histogram()
    for _ in range(10):
        histogram.observe(seconds)
    found = Percentiles.of(histogram.fine_counts)
    assert found.p50_ms is not None
    assert found.p95_ms is not None
    assert found.p50_ms <= found.p95_ms <= max(1, seconds * 1_250 + 1)
    assert found.p50_ms >= seconds * 800


def test_95th_percentile_is_that_of_the_slowest_twentieth() -> None:
    histogram = Histogram()
    for seconds in [0.1] * 90 + [5.0] * 10:
        histogram.observe(seconds)
    found = Percentiles.of(histogram.fine_counts)
    assert found.p50_ms == pytest.approx(100, rel=0.25)
    assert found.p95_ms == pytest.approx(5_000, rel=0.25)


def test_durations_beyond_a_day_count_as_a_day() -> None:
    histogram = Histogram()
    histogram.observe(10 * FINE_BOUNDS_S[-1])
    assert Percentiles.of(histogram.fine_counts).p50_ms == pytest.approx(86_400_000, rel=0.25)
