"""Advancing in two steps runs the same jobs at the same times as advancing in one."""

from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostinato.jobs.records import OverlapPolicy
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from tests.testing import shop

minutes = st.integers(1, 120).map(lambda n: timedelta(minutes=n))
intervals = st.integers(20, 120).map(lambda n: timedelta(minutes=n))
crons = st.tuples(intervals, st.integers(0, 20), st.sampled_from(OverlapPolicy))
"""The interval, the jitter in minutes, and the overlap policy of a cron."""
jobs = st.tuples(minutes, st.integers(0, 3))
"""The delay of a job, and how often it fails."""


async def run(
    ostinato_settings: Settings,
    plan: tuple[list[tuple[timedelta, int, OverlapPolicy]], list[tuple[timedelta, int]]],
    steps: list[timedelta],
) -> list[tuple[str, object]]:
    """Return the times of all events of all jobs, and where the crons stand, at the end."""
    async with Harness.open(ostinato_settings) as h:
        for n, (every, jitter, overlap) in enumerate(plan[0]):
            late = timedelta(minutes=jitter)
            await h.app.register_cron(
                f"{n}", every=every, function=shop.draw, jitter=late, overlap=overlap
            )
        for delay, failures in plan[1]:
            await h.app.schedule(shop.send_email, run_after=delay)
            h.fail(shop.send_email, error=ConnectionError("no answer"), times=failures)
        for step in steps:
            await h.advance(step)
        ran = [(job.id, job.timeline) for job in await h.jobs(internal=None)]
        return [*ran, *((cron.id, cron) for cron in await h.crons())]


@given(st.lists(crons, max_size=3), st.lists(jobs, max_size=3), minutes, minutes)
@example(
    [(timedelta(minutes=5), 0, OverlapPolicy.QUEUE)],
    [],
    timedelta(minutes=5),
    timedelta(minutes=12),
)
@settings(max_examples=10)
async def test_two_steps_run_the_same_as_one(
    ostinato_settings: Settings,
    crons: list[tuple[timedelta, int, OverlapPolicy]],
    jobs: list[tuple[timedelta, int]],
    first: timedelta,
    second: timedelta,
) -> None:
    plan = crons, jobs
    in_two = await run(ostinato_settings, plan, [first, second])
    assert in_two == await run(ostinato_settings, plan, [first + second])
