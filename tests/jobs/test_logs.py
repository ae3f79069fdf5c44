"""LogThrottle: limits on repeated log lines."""

from ostinato.jobs.logs import MAX_LINES_PER_PERIOD, LogThrottle


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_line_is_logged_once_per_period() -> None:
    time = Time()
    throttle = LogThrottle(60, time)
    assert [throttle.allows(key) for key in ("a", "b", "a")] == [True, True, False]
    time.now = 61
    assert throttle.allows("a")


def test_the_number_of_lines_per_period_is_limited() -> None:
    throttle = LogThrottle(60, Time())
    allowed = [throttle.allows(number) for number in range(MAX_LINES_PER_PERIOD + 1)]
    assert allowed.count(True) == MAX_LINES_PER_PERIOD
    assert not allowed[-1]
