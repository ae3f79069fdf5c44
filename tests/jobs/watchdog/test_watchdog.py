"""The watchdog opens an alert for each reason, once, and ends it with its reason."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient
from pymongo.errors import BulkWriteError
from structlog.testing import capture_logs

from ostinato.jobs.alerts import WATCHDOG, AlertKind, Condition
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.crons import pause_cron
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.queue_diagnostics import inspect_alerts
from ostinato.jobs.watchdog import watchdog as watchdogs
from ostinato.jobs.watchdog.watchdog import Watchdog
from tests.engine.rig import Document, Rig
from tests.jobs.functions.pattern_rig import PatternRig
from tests.jobs.functions.test_crons import register
from tests.malformed import malformed_documents, valid_document

MINUTE_MS = 60_000


@pytest.fixture
def rig(rig_without_worker: Rig) -> Rig:
    return rig_without_worker


async def check(engine: Engine, *kinds: AlertKind) -> list[tuple[str, str, str]]:
    """Run the checks of these kinds; return kind, subject and state of all alerts, by kind."""
    watchdog = Watchdog(engine)
    checks = {kind: each for kind, each in watchdog.slow_checks().items() if kind in kinds}
    await watchdog.check(checks)
    alerts = await engine.mongo["alerts"].find(sort=[("_id", 1)]).to_list(None)
    return [(alert["kind"], alert["subject"], alert["state"]) for alert in alerts]


async def insert_worker(rig: Rig, *queues: str) -> str:
    await rig.engine.workers.register(worker_id := new_id(), {"queues": list(queues)})
    return worker_id


async def insert_job(rig: Rig, **fields: Any) -> str:
    document: Document = valid_document("jobs", "alice") | fields
    await rig.engine.mongo["jobs"].insert_one(document)
    return str(document["_id"])


async def insert_cron(rig: Rig, **fields: Any) -> None:
    await rig.engine.mongo["crons"].insert_one(valid_document("crons", "alice") | fields)


async def test_a_late_cron_has_one_alert_of_its_owner_until_it_has_run_or_is_paused(
    rig: Rig,
) -> None:
    cron = await register(PatternRig(rig.engine), name="nightly")
    assert await check(rig.engine, AlertKind.CRON_LATE) == []
    await rig.engine.advance(3 * MINUTE_MS)
    for _ in range(2):
        found = await check(rig.engine, AlertKind.CRON_LATE)
        assert found == [("cronLate", cron.id, "open")]
    [alert] = await rig.all("alerts")
    assert (alert["owner"], "'nightly' was due at" in alert["message"]) == ("alice", True)
    await PatternRig(rig.engine).run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert await check(rig.engine, AlertKind.CRON_LATE) == [("cronLate", cron.id, "resolved")]


async def test_an_alert_is_logged_when_it_opens_and_ends_and_then_kept_for_a_time(
    rig: Rig,
) -> None:
    await insert_cron(rig, nextRunTime=await rig.engine.now() - timedelta(hours=1))
    with capture_logs() as logs:
        await check(rig.engine, AlertKind.CRON_LATE)
        await rig.engine.mongo["crons"].delete_many({})
        await check(rig.engine, AlertKind.CRON_LATE)
    [ended] = await rig.all("alerts")
    assert ended["purgeAt"] > ended["resolvedAt"] > ended["openedAt"]
    events = [line["event"] for line in logs if line.get("alert_id") == ended["_id"]]
    assert events == ["alert.opened", "alert.resolved"]


async def test_a_queue_with_due_jobs_that_no_worker_serves_has_an_alert(rig: Rig) -> None:
    await insert_worker(rig, "default")
    for queue in ("default", "mail", "paused"):
        await insert_job(rig, queue=queue, lane=f"{queue}/", scheduledTime=await rig.engine.now())
    await rig.engine.queues.pause("paused")
    assert await check(rig.engine, AlertKind.QUEUE_NOT_SERVED) == []
    await rig.engine.advance(MINUTE_MS)
    opened = await check(rig.engine, AlertKind.QUEUE_NOT_SERVED)
    assert opened == [("queueNotServed", "mail", "open")]
    await insert_worker(rig, "mail")
    ended = await check(rig.engine, AlertKind.QUEUE_NOT_SERVED)
    assert ended == [("queueNotServed", "mail", "resolved")]


async def test_a_job_that_runs_beyond_its_timeout_has_an_alert(rig: Rig) -> None:
    running = {"state": "inProgress", "startedAt": await rig.engine.now()}
    stuck = await insert_job(rig, **running, timeoutMs=MINUTE_MS)
    await insert_job(rig, **running, timeoutMs=60 * MINUTE_MS)
    await insert_job(rig, **running, timeoutMs="soon", owner={"a": 1})
    await rig.engine.advance(MINUTE_MS)
    assert await check(rig.engine, AlertKind.JOB_STUCK) == []
    await rig.engine.advance(2 * MINUTE_MS)
    assert await check(rig.engine, AlertKind.JOB_STUCK) == [("jobStuck", stuck, "open")]
    await rig.engine.mongo["jobs"].delete_one({"_id": stuck})
    assert await check(rig.engine, AlertKind.JOB_STUCK) == [("jobStuck", stuck, "resolved")]


async def test_a_cron_whose_last_runs_failed_has_an_alert_until_one_succeeds(rig: Rig) -> None:
    cron = await register(PatternRig(rig.engine))
    run = {"cause": {"kind": "cron", "id": cron.id}}
    for state in ("success", "failed", "failed", "canceled"):
        await insert_job(rig, **run, state=state)
    assert await check(rig.engine, AlertKind.CRON_FAILING) == []
    await insert_job(rig, **run, state="failed")
    opened = ("cronFailing", cron.id, "open")
    assert await check(rig.engine, AlertKind.CRON_FAILING) == [opened]
    await insert_job(rig, **run, state="success")
    assert await check(rig.engine, AlertKind.CRON_FAILING) == [(*opened[:2], "resolved")]


async def test_a_function_whose_jobs_only_fail_has_an_alert(rig: Rig) -> None:
    counters = rig.engine.function_counters
    counters.of("functions.echo").failures += 3
    counters.of("functions.failTwice").failures += 9
    counters.of("functions.failTwice").successes += 1
    await rig.engine.overview.activity.add(counters.take(), await rig.engine.now())
    failing = ("functionFailing", "functions.echo")
    assert await check(rig.engine, AlertKind.FUNCTION_FAILING) == [(*failing, "open")]
    await rig.engine.advance(20 * MINUTE_MS)
    assert await check(rig.engine, AlertKind.FUNCTION_FAILING) == [(*failing, "resolved")]


async def test_workers_that_were_never_heard_are_missed_after_the_threshold(rig: Rig) -> None:
    now = [100.0]
    watchdog = Watchdog(rig.engine, clock=lambda: now[0])
    for elapsed_s, number in ((0, 0), (5.9, 0), (6.1, 1)):
        now[0] = 100 + elapsed_s
        await watchdog.check(watchdog.fast_checks())
        assert len(await rig.all("alerts", state="open")) == number
    await insert_worker(rig, "default")
    await watchdog.check(watchdog.fast_checks())
    assert [alert["state"] for alert in await rig.all("alerts")] == ["resolved"]


async def test_many_subjects_open_at_most_a_limit_of_alerts_and_end_none_of_them(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdogs, "MAX_SUBJECTS", 2)
    await insert_worker(rig, "default")
    for name in ("b", "c", "d"):
        await insert_job(rig, queue=name, lane=f"{name}/", scheduledTime=await rig.engine.now())
    await rig.engine.advance(MINUTE_MS)
    kind = AlertKind.QUEUE_NOT_SERVED
    assert [subject for _, subject, _ in await check(rig.engine, kind)] == ["b", "c"]
    await insert_job(rig, queue="a", lane="a/", scheduledTime=await rig.engine.now())
    await rig.engine.advance(MINUTE_MS)
    alerts = await check(rig.engine, kind)
    assert {state for _, _, state in alerts} == {"open"}


async def test_a_resolved_alert_opens_again_only_after_its_reason_has_ended(rig: Rig) -> None:
    cron = await register(PatternRig(rig.engine))
    late = AlertKind.CRON_LATE
    await rig.engine.advance(3 * MINUTE_MS)
    await check(rig.engine, late)
    [alert] = await rig.all("alerts")
    assert await rig.engine.alerts.resolve(alert["_id"], None, "root") is not None
    assert await check(rig.engine, late) == [("cronLate", cron.id, "resolved")]
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": {"enabled": False}})
    assert await check(rig.engine, late) == [("cronLate", cron.id, "resolved")]
    [ended] = await rig.all("alerts")
    assert (ended["resolvedBy"], "key" in ended, "purgeAt" in ended) == ("root", False, True)
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": {"enabled": True}})
    assert [state for *_, state in await check(rig.engine, late)] == ["resolved", "open"]


async def test_a_failing_check_leaves_its_alerts_as_they_are(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(PatternRig(rig.engine))
    await rig.engine.advance(3 * MINUTE_MS)
    await check(rig.engine, AlertKind.CRON_LATE)
    watchdog = Watchdog(rig.engine)

    async def fail() -> list[Any]:
        await rig.engine.mongo.database.command("noSuchCommand")
        return []

    with capture_logs() as logs:
        await watchdog.check({AlertKind.CRON_LATE: fail})
    assert [alert["state"] for alert in await rig.all("alerts")] == ["open"]
    assert [line["event"] for line in logs] == ["watchdog.check_failed"]


async def test_doctor_lists_what_is_open_and_whether_a_process_watches(
    rig: Rig, mongo_admin: MongoClient[Any]
) -> None:
    database = mongo_admin[rig.engine.settings.database]
    assert "no API process" in inspect_alerts(database)[0].detail
    await rig.engine.workers.acquire_leadership(WATCHDOG, "api", 60_000)
    assert "an API process" in inspect_alerts(database)[0].detail
    await rig.engine.alerts.open(Condition.queue_not_served("mail"))
    (found,) = inspect_alerts(database)
    assert (found.ok, "the queue 'mail'" in found.detail) == (True, True)


async def test_malformed_documents_hide_no_alert_of_others(rig: Rig) -> None:
    before = await rig.engine.now() - timedelta(hours=1)
    for collection, at in (("crons", "nextRunTime"), ("jobs", "startedAt")):
        late = {at: before, "state": "inProgress"} if collection == "jobs" else {at: before}
        without_owner = valid_document(collection) | late
        del without_owner["owner"]
        year_0 = valid_document(collection) | late | {at: DatetimeMS(-(10**14))}
        damaged = [late | document for _, document in malformed_documents(collection)]
        whole = valid_document(collection, "alice") | late | {"_id": collection, "timeoutMs": 1}
        documents = [without_owner, year_0, *damaged, whole]
        with suppress(BulkWriteError):
            await rig.engine.mongo[collection].insert_many(documents, ordered=False)
    found = await check(rig.engine, AlertKind.CRON_LATE, AlertKind.JOB_STUCK)
    assert {("cronLate", "crons", "open"), ("jobStuck", "jobs", "open")} <= set(found)


async def test_alerts_are_opened_once_by_two_processes(rig: Rig) -> None:
    cron = await register(PatternRig(rig.engine))
    await rig.engine.advance(3 * MINUTE_MS)
    condition = (await Watchdog(rig.engine)._find_late_crons())[0]
    opened = [await rig.engine.alerts.open(condition) for _ in range(2)]
    assert [alert and alert.subject for alert in opened] == [cron.id, None]
    assert opened[0] is not None
    assert opened[0].opened_at - await rig.engine.now() < timedelta(0)
