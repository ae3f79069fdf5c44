"""Warnings about jobs without a worker: in payloads, on the job, in the log and in doctor."""

from typing import Any

import pytest
from bson import Code
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.diagnostics import inspect_mongo
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.queue_warnings import MAX_LINES_PER_MINUTE
from tests.api import operations as op
from tests.api.conftest import Client

WARNINGS = "warnings { code message }"
SCHEDULE = op.mutation("scheduleJob", "ScheduleJobInput", f"jobId job {{ {WARNINGS} }} {WARNINGS}")
GREET = {"functionName": "functions.greet", "args": {"name": "ann"}}
IN_MAIL = GREET | {"queue": "mail"}
OTHERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "registerCron": ("RegisterCronInput", "cronId", {"name": "c", "intervalMs": 60_000}),
    "startRecurringTask": (
        *("StartRecurringTaskInput", "taskId"),
        {
            "taskId": "t",
            "intervalMs": 60_000,
            "functionName": "functions.greet",
            "args": {"name": "x"},
        },
    ),
    "startBatch": ("StartBatchInput", "batchId", {"source": "items"}),
    "createWithTimeout": ("CreateWithTimeoutInput", "requestId", {"data": 1}),
}


async def serve(engine: Engine, *queues: str) -> WorkerStore:
    """Register a worker that serves these queues."""
    workers = WorkerStore(engine.mongo)
    registration = {"queues": list(queues), "concurrency": 1, "running": 0}
    await workers.register("w", {**registration, "host": "h", "pid": 1, "version": "1"})
    return workers


async def codes(client: Client, document: str, **input_: Any) -> list[str]:
    answer = await client.get(document, input=input_)
    if "job" in answer:
        assert answer["job"]["warnings"] == answer["warnings"]
    return [warning["code"] for warning in answer["warnings"]]


async def test_scheduled_job_without_any_worker_has_a_warning(ann: Client) -> None:
    assert await codes(ann, SCHEDULE, **GREET) == ["NO_WORKER"]


async def test_job_in_an_unserved_queue_has_a_warning(engine: Engine, ann: Client) -> None:
    await serve(engine, "default", "secret")
    answer = await ann.get(SCHEDULE, input=IN_MAIL)
    (warning,) = answer["warnings"]
    assert warning["code"] == "QUEUE_NOT_SERVED"
    assert "'mail'" in warning["message"]
    assert "secret" not in warning["message"]
    assert await codes(ann, SCHEDULE, **GREET) == []


async def test_job_in_a_paused_queue_has_a_warning(engine: Engine, ann: Client) -> None:
    await serve(engine, "mail")
    await engine.queues.pause("mail")
    assert await codes(ann, SCHEDULE, **IN_MAIL) == ["QUEUE_PAUSED"]


async def test_queue_with_an_unhashable_name_affects_no_other_queue(
    engine: Engine, ann: Client, admin: Client
) -> None:
    await serve(engine, "default")
    await engine.mongo["queues"].insert_one({"_id": Code("default"), "paused": True, "weight": 2})
    assert await codes(ann, SCHEDULE, **GREET) == []
    assert await admin.get("{ queues { name paused } }") == [{"name": "default", "paused": False}]


@pytest.mark.usefixtures("_fresh_malformed_throttle")
async def test_a_job_is_scheduled_although_its_warnings_cannot_be_read(
    engine: Engine, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.queue_warnings._warning_for", None)  # a simulated bug
    with capture_logs() as logs:
        assert await codes(ann, SCHEDULE, **GREET) == []
    assert "warnings.failed" in [line["event"] for line in logs]
    assert await engine.mongo["jobs"].count_documents({}) == 1


async def test_a_worker_without_a_heartbeat_within_its_lease_serves_no_queue(
    engine: Engine, ann: Client
) -> None:
    await serve(engine, "default")
    long_ago = {"$set": {"heardAt": (await engine.now()).replace(year=2020)}}
    await engine.mongo["workers"].update_many({}, long_ago)
    assert await codes(ann, SCHEDULE, **GREET) == ["NO_WORKER"]


async def test_only_pending_jobs_have_warnings(ann: Client) -> None:
    job_id = (await ann.get(SCHEDULE, input=GREET))["jobId"]
    canceled = op.mutation("cancelJob", "JobIdInput", f"job {{ {WARNINGS} }} {WARNINGS}")
    assert await codes(ann, canceled, jobId=job_id) == []
    retried = op.mutation("retryJob", "JobIdInput", f"job {{ {WARNINGS} }} {WARNINGS}")
    assert await codes(ann, retried, jobId=job_id) == ["NO_WORKER"]


@pytest.mark.parametrize("name", OTHERS)
async def test_other_payloads_have_warnings_about_the_default_queue(ann: Client, name: str) -> None:
    kind, field, input_ = OTHERS[name]
    document = op.mutation(name, kind, f"{field} {WARNINGS}")
    assert (await codes(ann, document, **input_))[0] == "NO_WORKER"


async def test_an_empty_batch_has_a_warning(engine: Engine, ann: Client) -> None:
    await serve(engine, "default")
    document = op.mutation("startBatch", "StartBatchInput", f"batchId {WARNINGS}")
    assert await codes(ann, document, source="items") == ["NOTHING_TO_PROCESS"]


async def test_workers_and_queues_are_cached_for_warnings(
    engine: Engine, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.queue_warnings.CACHE_TTL_S", 60)
    await serve(engine, "default")
    first = await codes(ann, SCHEDULE, **IN_MAIL)
    await engine.mongo["workers"].delete_many({})
    assert await codes(ann, SCHEDULE, **IN_MAIL) == first == ["QUEUE_NOT_SERVED"]


async def test_an_unserved_queue_is_logged_once(engine: Engine, ann: Client) -> None:
    await serve(engine, "default")
    with capture_logs() as lines:
        for _ in range(3):
            await ann.get(SCHEDULE, input=IN_MAIL)
        await engine.queues.report_unserved()
    named = [line["queue"] for line in lines if line["event"] == "queue.not_served"]
    assert named == ["mail"]


async def test_lines_about_unserved_queues_are_limited(engine: Engine, ann: Client) -> None:
    await serve(engine, "default")
    with capture_logs() as lines:
        for number in range(MAX_LINES_PER_MINUTE + 5):
            await ann.get(SCHEDULE, input=IN_MAIL | {"queue": f"mail-{number}"})
    named = [line for line in lines if line["event"] == "queue.not_served"]
    assert len(named) == MAX_LINES_PER_MINUTE


async def test_doctor_reports_a_queue_with_due_jobs_and_no_worker(
    engine: Engine, ann: Client
) -> None:
    settings = engine.settings

    async def queue_findings() -> list[tuple[str, str | None]]:
        found = await inspect_mongo(settings.mongo_url, settings.database, settings.lease_ms)
        return [(finding.detail, finding.fix) for finding in found if finding.subject == "queues"]

    assert await queue_findings() == [("no due job waits for a worker; no worker is running", None)]
    await serve(engine, "default")
    await ann.get(SCHEDULE, input=IN_MAIL)
    ((detail, fix),) = await queue_findings()
    assert detail == "jobs are due in 'mail', and running workers take jobs from 'default'"
    assert fix == "start a worker with 'mail' in its OSTINATO_QUEUES"


async def test_log_and_doctor_report_a_paused_queue_with_due_jobs(
    engine: Engine, ann: Client
) -> None:
    await serve(engine, "default", "mail")
    await engine.queues.pause("mail")
    with capture_logs() as lines:
        await ann.get(SCHEDULE, input=IN_MAIL)
        for _ in range(3):
            await engine.queues.report_unserved()
    named = [
        (line["log_level"], line["queue"]) for line in lines if line["event"] == "queue.paused"
    ]
    settings = engine.settings
    found = await inspect_mongo(settings.mongo_url, settings.database, settings.lease_ms)
    assert named == [("info", "mail")]
    assert ("'mail' is paused, and jobs are due in it", True) in [(f.detail, f.ok) for f in found]
