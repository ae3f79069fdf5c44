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

YEAR, MONTH = timedelta(days=365), timedelta(days=30)
ZONES = ("UTC", "Europe/Berlin", "Asia/Tokyo")
WEEKDAYS = ("MON", "TUE", "WED", "THU")
TICKS = {"hourly": 30 * 24 - 1, "half-daily": 730, "daily": 3 * 365, "weekly": 8 * 52 + 2}
TICKS["monthly"] = 187 * 12


async def register_crons(h: Harness) -> None:
    """Register 200 crons: 1 for each hour of a month, 1 of 12 hours, 3 daily, 8 weekly and 187
    monthly ones."""
    register = partial(h.app.register_cron, function=shop.draw)
    await register("hourly", every=timedelta(hours=1), end_at=START + MONTH)
    await register("half-daily", every=timedelta(hours=12))
    for zone in ZONES:
        await register(f"daily {zone}", cronspec="30 3 * * *", tz=zone)
    for n in range(8):
        await register(f"weekly {n}", cronspec=f"0 {n % 2 + 8} * * {WEEKDAYS[n // 2]}")
    for n in range(187):
        await register(f"monthly {n}", cronspec=f"0 6 {n % 28 + 1} * *")


@pytest.mark.ostinato(concurrency=50)
async def test_a_year_of_200_crons_takes_less_than_a_minute(h: Harness) -> None:
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
    assert elapsed_s < 60
