"""The audit log records what an application changes with the Python client."""

import inspect
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from ostinato import Ostinato
from ostinato.client.job_verbs import Call
from ostinato.jobs.audit import AuditEntry, AuditFilter, AuditSource
from ostinato.jobs.errors import NotFound, OstinatoError
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.paging import Window
from tests.client.functions import double
from tests.jobs.mongo.test_audit_log import accepting_only

pytestmark = pytest.mark.audit("audit log")

HOUR = timedelta(hours=1)
UNKNOWN = "0" * 24
EARLIER = datetime(2026, 3, 1, tzinfo=UTC)
READS = {
    *("batch", "batch_changes", "batches", "changes", "cron", "cron_changes", "cron_named"),
    *("crons", "failures", "following", "functions", "get", "job_changes", "jobs", "mutate"),
    *("owner", "preview", "queues", "quotas", "recurring_task", "recurring_task_changes"),
    *("recurring_tasks", "request", "request_changes", "requests", "suspended_owners", "workers"),
    *("activity", "alerts", "audit_log", "count_jobs", "cron_health", "cron_ticks", "logs"),
    *("preview_cron_change", "token_revocations", "tree", "bulk_action", "bulk_actions"),
    *("calendars", "failure_groups", "job_totals", "preview_ticks", "recorded_failure"),
}
CALLS: dict[str, Callable[[Ostinato], Awaitable[object]]] = {
    "acknowledge_alert": lambda app: app.acknowledge_alert(UNKNOWN),
    "add_items": lambda app: app.add_items([{"secret": 1}]),
    "cancel": lambda app: app.cancel(UNKNOWN),
    "apply_crons": lambda app: app.apply_crons("deployment", []),
    "backfill_cron": lambda app: app.backfill_cron(UNKNOWN, EARLIER, EARLIER + HOUR),
    "cancel_batch": lambda app: app.cancel_batch(UNKNOWN),
    "cancel_bulk_action": lambda app: app.cancel_bulk_action(UNKNOWN),
    "cancel_jobs": lambda app: app.cancel_jobs(JobFilter()),
    "cancel_request": lambda app: app.cancel_request(UNKNOWN),
    "complete_request": lambda app: app.complete_request(UNKNOWN),
    "create_calendar": lambda app: app.create_calendar("holidays"),
    "create_with_timeout": lambda app: app.create_with_timeout("secret"),
    "delete_batch": lambda app: app.delete_batch(UNKNOWN),
    "delete_calendar": lambda app: app.delete_calendar("holidays"),
    "delete_cron": lambda app: app.delete_cron(UNKNOWN),
    "delete_items": lambda app: app.delete_items([UNKNOWN]),
    "delete_recurring_task": lambda app: app.delete_recurring_task("x"),
    "delete_request": lambda app: app.delete_request(UNKNOWN),
    "delete_revocation": lambda app: app.delete_revocation("token:x"),
    "extend_request": lambda app: app.extend_request(UNKNOWN, HOUR),
    "pause_batch": lambda app: app.pause_batch(UNKNOWN),
    "pause_cron": lambda app: app.pause_cron(UNKNOWN),
    "pause_queue": lambda app: app.pause_queue("mail"),
    "purge_owner": lambda app: app.purge_owner("eve"),
    "register_cron": lambda app: app.register_cron("x", every=HOUR, args={"name": "secret"}),
    "reject_request": lambda app: app.reject_request(UNKNOWN, "no"),
    "replace_calendar": lambda app: app.replace_calendar("holidays"),
    "reschedule": lambda app: app.reschedule(UNKNOWN, run_after=HOUR),
    "reschedule_jobs": lambda app: app.reschedule_jobs(JobFilter(), run_after=HOUR),
    "resolve": lambda app: app.resolve(UNKNOWN),
    "resolve_alert": lambda app: app.resolve_alert(UNKNOWN),
    "resolve_failures": lambda app: app.resolve_failures(FailureFilter()),
    "resume_batch": lambda app: app.resume_batch(UNKNOWN),
    "resume_cron": lambda app: app.resume_cron(UNKNOWN),
    "resume_owner": lambda app: app.resume_owner("eve"),
    "resume_queue": lambda app: app.resume_queue("mail"),
    "retry": lambda app: app.retry(UNKNOWN),
    "retry_failures": lambda app: app.retry_failures(FailureFilter()),
    "retry_jobs": lambda app: app.retry_jobs(JobFilter()),
    "revoke_token": lambda app: app.revoke_token("x"),
    "revoke_tokens": lambda app: app.revoke_tokens("eve"),
    "schedule": lambda app: app.schedule(double, {"number": 1}),
    "schedule_many": lambda app: app.schedule_many([Call(double, {"number": 1})] * 2),
    "skip_next_run": lambda app: app.skip_next_run(UNKNOWN),
    "start_batch": lambda app: app.start_batch(),
    "start_recurring_task": lambda app: app.start_recurring_task("x", HOUR),
    "stop_recurring_task": lambda app: app.stop_recurring_task("x"),
    "suspend_owner": lambda app: app.suspend_owner("eve"),
    "trigger_cron": lambda app: app.trigger_cron(UNKNOWN),
    "update_batch": lambda app: app.update_batch(UNKNOWN, batch_size=5),
    "update_cron": lambda app: app.update_cron(UNKNOWN, every=HOUR),
    "update_recurring_task": lambda app: app.update_recurring_task("x", every=HOUR),
}
MUTATIONS = {
    "cancel": "cancelJob",
    "resolve": "resolveFailure",
    "reschedule": "rescheduleJob",
    "retry": "retryJob",
    "schedule": "scheduleJob",
    "schedule_many": "scheduleJobs",
}
"""The names of verbs that the API calls otherwise."""


async def entries(app: Ostinato) -> list[AuditEntry]:
    """Write the waiting entries, and return all of them, newest first."""
    await app.engine.audit.close()
    return list((await app.engine.audit.find_page(AuditFilter(), Window(limit=100))).items)


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def test_every_verb_that_changes_something_is_called() -> None:
    verbs = {name for name in dir(Ostinato) if not name.startswith("_")}
    changing = {name for name in verbs if inspect.iscoroutinefunction(getattr(Ostinato, name))}
    assert changing - READS - {"prepare"} == CALLS.keys()


@pytest.mark.parametrize("verb", CALLS)
async def test_verb_that_changes_something_is_recorded(app: Ostinato, verb: str) -> None:
    expected = "OK"
    try:
        await CALLS[verb](app)
    except OstinatoError as error:
        expected = error.code
    [entry] = await entries(app)
    assert entry.mutation == MUTATIONS.get(verb, camel_case(verb))
    assert (entry.source, entry.user, entry.as_admin) == (AuditSource.PYTHON, None, True)
    assert entry.address == f"{socket.gethostname()}:{os.getpid()}"
    assert entry.outcome == expected
    assert "secret" not in str(entry.input)


async def test_call_for_a_user_is_recorded_with_the_user_and_its_object(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, owner="alice", key="k")
    [entry] = await entries(app)
    assert (entry.user, entry.as_admin, entry.object_id) == ("alice", False, handle.id)
    assert entry.input == {
        "functionName": "functions.double", "key": "k", "queue": "default", "priority": 0
    }  # fmt: skip


async def test_jobs_of_one_call_are_one_entry_with_their_common_owner(app: Ostinato) -> None:
    await app.schedule_many([Call(double, {"number": n}, owner="alice") for n in range(30)])
    [entry] = await entries(app)
    assert (entry.user, entry.mutation) == ("alice", "scheduleJobs")
    assert entry.input == {"jobs": 30, "functionNames": ["functions.double"]}


async def test_change_for_no_owner_that_cannot_be_recorded_does_not_run(app: Ostinato) -> None:
    cron = await app.register_cron("x", owner="alice", every=HOUR)
    await app.engine.audit.close()
    async with accepting_only(app.engine, {"mutation": "registerCron"}):
        with pytest.raises((MongoError, OstinatoError)):
            await app.delete_cron(cron.id)
    assert (await app.cron(cron.id)).enabled


async def test_object_of_another_owner_is_recorded_as_not_found(app: Ostinato) -> None:
    cron = await app.register_cron("x", owner="alice", every=HOUR)
    with pytest.raises(NotFound):
        await app.delete_cron(cron.id, owner="bob")
    [entry, _] = await entries(app)
    assert (entry.user, entry.outcome, entry.input) == ("bob", "NOT_FOUND", {"cronId": cron.id})
