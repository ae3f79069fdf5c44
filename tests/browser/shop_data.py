"""The data of a shop in MongoDB: jobs in all states, crons with their ticks, batches, requests,
alerts, workers and a day of activity.

No worker runs, so nothing of it changes, and every page shows the same in each run.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any, Final

from ostinato.jobs.function_counters import FunctionCounts
from ostinato.jobs.mongo.activity import ActivityStore
from ostinato.jobs.mongo.client import Mongo
from ostinato.schema.ids import global_id
from tests.browser.shop_jobs import (
    HISTORY,
    OWNER,
    Document,
    Ids,
    ShopJobs,
    calls,
    ended,
    failed,
    retried,
    started,
)
from tests.browser.shop_objects import ShopObjects
from tests.malformed import valid_document

SYNC_RUNS: Final = 62
MAIL_ERROR: Final = ("SMTPServerDisconnected", "mail.example.com closed the connection")
TRACEBACK: Final = """Traceback (most recent call last):
  File "shop/reports.py", line 48, in daily_sales
    rows = await warehouse.fetch(SALES, region=region)
  File "shop/warehouse.py", line 112, in fetch
    raise WarehouseTimeout(f"no answer within {self.timeout_s} s")
shop.warehouse.WarehouseTimeout: no answer within 30 s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopExamples:
    """The ids of objects whose own pages show much, by the first part of the page's address."""

    jobs: str
    crons: str


async def fill(mongo: Mongo) -> ShopExamples:
    """Store the data of a shop."""
    now = datetime.now(UTC).replace(microsecond=0)
    ids, numbers = Ids(), random.Random(4)
    jobs = ShopJobs(now, ids)
    _add_history(jobs, numbers)
    cron_id, ticks = _sync_cron(jobs)
    failing = _add_newest(jobs, now)
    await mongo["jobs"].insert_many(jobs.jobs, ordered=False)
    await mongo["jobLogs"].insert_many(jobs.logs)
    await mongo["failures"].insert_many(jobs.failures)
    await mongo["cronTicks"].insert_many(ticks)
    crons = _crons(now, ids, cron_id, ticks)
    await mongo["crons"].insert_many(crons)
    newsletter = next(cron for cron in crons if cron["name"] == "newsletter")
    for collection, documents in ShopObjects(jobs, newsletter["_id"]).documents().items():
        await mongo[collection].insert_many(documents)
    await _add_activity(mongo, now, numbers)
    return ShopExamples(jobs=global_id("Job", failing), crons=global_id("Cron", cron_id))


async def add_job(mongo: Mongo) -> None:
    """Store another job."""
    jobs = ShopJobs(datetime.now(UTC))
    jobs.add(0, "orders.charge", {"order": "A-10471", "amountCents": 7_990})
    await mongo["jobs"].insert_many(jobs.jobs)


async def write_heartbeats(mongo: Mongo) -> None:
    """Let all workers seem to run."""
    await mongo["workers"].update_many({}, [{"$set": {"heardAt": "$$NOW"}}])


def _add_history(jobs: ShopJobs, numbers: random.Random) -> None:
    """Add a day of jobs that have ended, the oldest first."""
    ages = sorted((numbers.uniform(240, 86_000) for _ in range(HISTORY)), reverse=True)
    for age_s, (function, args, result, mean_s) in zip(ages, calls(numbers), strict=False):
        run_s = mean_s * numbers.lognormvariate(0, 0.5)
        if function == "emails.sendReminder" and numbers.random() < 0.06:
            jobs.add(age_s, function, args, started(), failed(run_s, *MAIL_ERROR))
        elif function == "orders.syncStock" and numbers.random() < 0.04:
            jobs.add(age_s, function, args, ended(1.0, "canceled"))
        else:
            jobs.add(age_s, function, args, started(), ended(run_s), result=result)


def _sync_cron(jobs: ShopJobs) -> tuple[str, list[Document]]:
    """Add the runs of a cron of every hour; return its id and its ticks, oldest first."""
    now, cron_id = jobs.now, jobs.ids.at(jobs.now - timedelta(days=40))
    ticks: list[Document] = []
    args = {"warehouse": "Leipzig"}
    cause = {"cause": {"kind": "cron", "id": cron_id}}
    last = now.replace(minute=0, second=0)
    for number in range(SYNC_RUNS):
        at = last - timedelta(hours=SYNC_RUNS - 1 - number)
        job_id, fields = None, {"outcome": "ran", "origin": "schedule"}
        if number in (17, 41):
            fields |= {"outcome": "skipped", "reason": "overlap"}
        elif number == 29:
            fields |= {"outcome": "missed", "reason": "downtime"}
        else:
            age_s = (now - at).total_seconds()
            end = failed(9.0, *MAIL_ERROR) if number == 52 else ended(2.0 + number % 5)
            job_id = jobs.add(age_s, "orders.syncStock", args, started(), end, **cause)
        tick = {"_id": jobs.ids.at(at), "cronId": cron_id, "scheduledTime": at, "recordedAt": at}
        tick |= {"lastScheduledTime": at, "tickCount": 1, "jobId": job_id}
        ticks.append({"owner": OWNER, "version": 1, **tick, **fields})
    return cron_id, ticks


def _add_newest(jobs: ShopJobs, now: datetime) -> str:
    """Add the jobs at the head of the list; return the id of one that has failed."""
    failing = _add_failed_report(jobs, now)
    reminder = {"customer": "lena", "days": 14}
    next_day = (now + timedelta(days=1)).replace(hour=8, minute=0, second=0)
    add = jobs.add
    add(205, "reports.exportOrders", {"month": "2026-10"}, started(), ended(20, "canceled"))
    add(
        190, "orders.charge", {"order": "A-10461", "amountCents": 12_490},
        started(),
        failed(0.9, "CardDeclined", "the bank declined the card that ends with 4242"),
        tags=["priority"],
    )  # fmt: skip
    add(
        160, "reports.exportOrders", {"month": "2026-11"}, started(),
        progress={"done": 8_412, "total": 20_000, "message": "orders"},
    )  # fmt: skip
    add(
        150, "reports.dailySales", {"region": "DE"}, started(),
        progress={"done": 31, "total": 48, "message": "shops"},
    )  # fmt: skip
    add(120, "emails.sendReminder", reminder, scheduledTime=next_day, tags=["billing"])
    add(
        95, "emails.sendConfirmation", {"order": "A-10466", "to": "omar@example.com"},
        started(),
        retried(10.0, now + timedelta(seconds=55), *MAIL_ERROR),
        maxAttempts=3,
    )  # fmt: skip
    _add_orders(jobs)
    add(
        9, "orders.syncStock", {"warehouse": "Rotterdam"}, started(),
        progress={"done": 212, "total": 900, "message": "articles"},
    )  # fmt: skip
    add(4, "emails.sendConfirmation", {"order": "A-10469", "to": "mia@example.com"}, started())
    add(2, "orders.charge", {"order": "A-10470", "amountCents": 3_490})
    return failing


def _add_orders(jobs: ShopJobs) -> None:
    """Add charges, each with the invoice that it has led to."""
    add = jobs.add
    for number, age_s in enumerate((62, 41, 24)):
        order = f"A-{10_467 + number}"
        paid = {"chargeId": f"ch_{0x9F21C0 + number:06x}"}
        charged = add(
            age_s, "orders.charge", {"order": order, "amountCents": 5_990 + 1_500 * number},
            started(), ended(0.42), result=paid,
        )  # fmt: skip
        cause = {"cause": {"kind": "job", "id": charged}, "rootId": charged}
        invoice = {"invoice": f"2026-{1_188 + number}"}
        add(
            age_s - 1, "invoices.create", {"order": order},
            started(), ended(0.12), result=invoice, **cause,
        )  # fmt: skip


def _add_failed_report(jobs: ShopJobs, now: datetime) -> str:
    """Add a job that has failed after two retries, its log, and the jobs before and after it."""
    root = jobs.add(
        236, "reports.exportOrders", {"month": "2026-09"}, started(), ended(6.0),
        result={"rows": 18_204},
    )  # fmt: skip
    timeout = ("WarehouseTimeout", "no answer within 30 s")
    begun = now - timedelta(seconds=230)
    failing = jobs.add(
        230, "reports.dailySales", {"region": "FR", "day": "2026-11-30"},
        started(1.2), retried(30.0, begun + timedelta(seconds=61), *timeout),
        started(30.1), retried(30.0, begun + timedelta(seconds=152), *timeout),
        started(61.0), failed(30.0, *timeout, TRACEBACK),
        cause={"kind": "job", "id": root}, rootId=root, maxAttempts=3,
    )  # fmt: skip
    jobs.log(
        failing, 228,
        ("info", "report.started", {"region": "FR", "shops": 48}),
        ("info", "warehouse.connected", {"host": "warehouse-2"}),
        ("warning", "warehouse.slow", {"waited_s": 20}),
        ("error", "report.gave_up", {"after_s": 30}),
    )  # fmt: skip
    cause = {"cause": {"kind": "job", "id": failing}, "rootId": root}
    jobs.add(222, "invoices.create", {"order": "A-10398"}, started(), ended(0.1), **cause)
    return failing


def _crons(now: datetime, ids: Ids, sync_id: str, ticks: list[Document]) -> list[Document]:
    def cron(name: str, function: str, schedule: Document, **fields: Any) -> Document:
        base = {"_id": ids.at(now - timedelta(days=30)), "name": name, "functionName": function}
        return valid_document("crons", OWNER) | base | {"schedule": schedule} | fields

    def spec(text: str, tz: str) -> Document:
        return {"kind": "cron", "cronspec": text, "tz": tz}

    def due(**ahead: float) -> Document:
        return {"nextRunTime": now + timedelta(**ahead), "lastRunTime": now - timedelta(hours=20)}

    counts = {"ran": 948, "skipped": 7, "missed": 3, "coalesced": 2, "canceled": 0}
    sync = {"_id": sync_id, "args": {"warehouse": "Leipzig"}, "tickCounts": counts}
    last = ticks[-1]["scheduledTime"]
    times = {"nextRunTime": last + timedelta(hours=1), "lastRunTime": last}
    berlin, york = "Europe/Berlin", "America/New_York"
    return [
        cron("sync-stock", "orders.syncStock", spec("0 * * * *", berlin), **sync, **times),
        cron("daily-sales", "reports.dailySales", spec("0 3 * * *", berlin), **due(hours=4)),
        cron("payment-reminders", "emails.sendReminder", spec("0 9 * * 1-5", york), **due(hours=7)),
        cron("month-end-export", "reports.exportOrders", spec("0 6 1 * *", berlin), **due(days=3)),
        cron(
            "newsletter", "emails.sendNewsletter", spec("30 8 * * 2", berlin),
            failuresInARow=3, **due(days=2),
        ),
        cron(
            "abandoned-carts", "emails.sendReminder", {"kind": "interval", "ms": 3_600_000},
            enabled=False, **due(hours=1),
        ),
    ]  # fmt: skip


async def _add_activity(mongo: Mongo, now: datetime, numbers: random.Random) -> None:
    """Add what workers would have counted in the last day."""
    store = ActivityStore(mongo, lambda label: False)
    for age_s, length_s in _reports():
        hours = age_s / 3_600
        busy = 1.2 + sin(age_s / 130) * 0.5 + sin(hours / 4) * 0.3 + numbers.random() * 0.4
        jobs = int(length_s * busy / 2)
        counts = FunctionCounts(successes=jobs, failures=int(numbers.random() < 0.06))
        counts.retries = int(numbers.random() < 0.2) * (1 + length_s // 300)
        for _ in range(min(jobs, 40)):
            counts.run_time.observe(0.35 * numbers.lognormvariate(0, 0.9))
            counts.lateness.observe(0.012 * numbers.lognormvariate(0, 0.6))
        await store.add({"orders.charge": counts}, now - timedelta(seconds=age_s))


def _reports() -> Iterator[tuple[int, int]]:
    """Yield ages in seconds, and how long the time of each is: finer for the last hour."""
    yield from ((age_s, 15) for age_s in range(0, 900, 15))
    yield from ((age_s, 60) for age_s in range(900, 3_600, 60))
    yield from ((age_s, 900) for age_s in range(3_600, 86_400, 900))
