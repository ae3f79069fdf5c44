"""A year of 200 crons, each tick at its time, in less than a minute."""

import time
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from ostinato.jobs.records import CauseKind
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.testing import shop

pytestmark = pytest.mark.slow

YEAR, WEEK = timedelta(days=365), timedelta(days=7)
TICKS = {"hourly": 7 * 24 - 1, "daily": 365, "weekly": 3 * 52 + 1, "monthly": 195 * 12}


async def register_crons(h: Harness) -> None:
    """Register 200 crons: 1 for each hour of a week, 1 daily, 3 weekly and 195 monthly ones."""
    register = partial(h.app.register_cron, function=shop.draw)
    await register("hourly", every=timedelta(hours=1), end_at=START + WEEK)
    await register("daily", cronspec="30 3 * * *", tz="Europe/Berlin")
    for day in ("MON", "TUE", "WED"):
        await register(f"weekly {day}", cronspec=f"0 8 * * {day}")
    for n in range(195):
        await register(f"monthly {n}", cronspec=f"0 6 {n % 4 * 7 + 1} * *")


@pytest.mark.ostinato(concurrency=50)
async def test_a_year_of_200_crons_runs_in_about_a_minute(h: Harness) -> None:
    await register_crons(h)
    names = {cron.id: cron.name for cron in await h.crons()}
    began = time.monotonic()
    await h.advance(YEAR)
    elapsed_s = time.monotonic() - began
    runs = await h.jobs(shop.draw, "success")
    print(f"{len(runs)} ticks in {elapsed_s:.1f} s: {len(runs) / elapsed_s:.0f} per second")
    assert len(names) == 200
    assert {run.cause.kind for run in runs} == {CauseKind.CRON}
    assert all(run.completed_at == run.scheduled_time for run in runs)
    assert Counter(names[run.cause.id or ""].split()[0] for run in runs) == TICKS
    assert elapsed_s < 300  # 20 to 50 s on two cores, more beside other tests
