"""The audit log: writes that callers do not wait for, and their limits."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.audit import MAX_TEXT_CHARS, AuditEntry, AuditFilter, bounded
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo import audit_log
from ostinato.jobs.mongo.audit_log import AuditLog
from ostinato.jobs.paging import Window
from ostinato.jobs.records import Json
from ostinato.jobs.settings import Settings
from tests.engine.proxy import Proxy
from tests.engine.rig import Rig
from tests.processes import eventually

pytestmark = pytest.mark.audit("audit log")

DAY_MS = 86_400_000
LOCK_TIMEOUT = 24
ALL = AuditFilter()


def entry(user: str = "ann") -> AuditEntry:
    return AuditEntry(
        id=new_id(), user=user, as_admin=False, mutation="scheduleJob", input={}, address="::1"
    )


async def stored(log: AuditLog) -> list[AuditEntry]:
    return list((await log.find_page(ALL, Window(limit=100))).items)


@asynccontextmanager
async def accepting_only(engine: Engine, rule: Mapping[str, object]) -> AsyncIterator[None]:
    """Let MongoDB reject the entries that do not match a rule."""
    await engine.mongo.database.command("collMod", "auditLog", validator=rule)
    try:
        yield
    finally:
        await engine.mongo.database.command("collMod", "auditLog", validator={})


async def test_entries_are_written_in_the_background(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.mongo.audit_log.FLUSH_DELAY_S", 3_600)
    log = rig_without_worker.engine.audit
    entries = [replace(entry(), outcome="OK") for _ in range(3)]
    for one in entries:
        log.record(one)
    assert await stored(log) == []
    await log.close()
    assert await stored(log) == entries[::-1]


async def test_begun_entry_is_stored_at_once_and_its_outcome_later(rig_without_worker: Rig) -> None:
    log, begun = rig_without_worker.engine.audit, entry()
    await log.begin(begun)
    assert await stored(log) == [begun]
    ended = replace(begun, outcome="OK", object_type="Job", object_id=new_id())
    log.finish(ended)
    await log.close()
    assert await stored(log) == [ended]


async def test_closing_the_engine_writes_the_waiting_entries(fast_settings: Settings) -> None:
    async with Engine.open(fast_settings) as engine:
        engine.audit.record(entry())
    async with Engine.open(fast_settings) as engine:
        assert len(await stored(engine.audit)) == 1


async def test_closing_pauses_before_each_retry(
    fast_settings: Settings, failing_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "RETRY_DELAY_S", 0.2)
    fresh = {"mongo_url": failing_url, "database": f"audit_{new_id()}"}
    settings = fast_settings.model_copy(update=fresh)
    async with Engine.open(settings) as engine:
        admin, entries = engine.mongo.client.admin, f"{settings.database}.auditLog"
        data = {"failCommands": ["insert"], "errorCode": LOCK_TIMEOUT, "namespace": entries}
        await admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": data}
        )
        engine.audit.record(entry())
        since = time.monotonic()
        await engine.audit.close()
        assert time.monotonic() - since > 0.39
        assert len(await stored(engine.audit)) == 1
        await engine.mongo.client.drop_database(settings.database)


async def test_entry_is_purged_after_its_retention(rig_without_worker: Rig) -> None:
    log = AuditLog(rig_without_worker.engine.mongo, DAY_MS)
    await log.begin(one := entry())
    [document] = await rig_without_worker.all("auditLog")
    assert document["purgeAt"] == one.at + timedelta(days=1)
    indexes = await rig_without_worker.engine.mongo["auditLog"].index_information()
    assert indexes["purge"]["expireAfterSeconds"] == 0


async def test_entries_survive_an_outage(
    fast_settings: Settings, mongo_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "RETRY_DELAY_S", 0.05)
    settings = fast_settings.model_copy(update={"mongo_url": mongo_proxy.url})
    async with Engine.open(settings) as engine:
        mongo_proxy.cut()
        engine.audit.record(entry())
        await eventually(lambda: not engine.audit._waiting)  # the first try has begun
        mongo_proxy.heal()

        async def is_stored() -> bool:
            return len(await stored(engine.audit)) == 1

        await eventually(is_stored)


async def test_entries_beyond_the_limit_are_dropped_and_counted(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_WAITING", 2)
    log = rig_without_worker.engine.audit
    with capture_logs() as logs:
        for _ in range(5):
            log.record(entry())
        await log.close()
    assert len(await stored(log)) == 2
    [line] = [line for line in logs if line["event"] == "audit.dropped"]
    assert line["entries"] == 3


async def test_rejected_entry_does_not_prevent_others(rig_without_worker: Rig) -> None:
    engine = rig_without_worker.engine
    async with accepting_only(engine, {"user": {"$ne": "eve"}}):
        with capture_logs() as logs:
            engine.audit.record(entry("eve"))
            engine.audit.record(entry("ann"))
            await engine.audit.close()
    assert [one.user for one in await stored(engine.audit)] == ["ann"]
    assert [line["entries"] for line in logs if line["event"] == "audit.rejected"] == [1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * MAX_TEXT_CHARS, "x" * MAX_TEXT_CHARS),
        ("x" * (MAX_TEXT_CHARS + 1), "x" * MAX_TEXT_CHARS + "…"),
        ("a\ud800", "a?"),
        (2**53, 2**53),
        (10**30, str(10**30)),
        (True, True),
        ({"secret": 1}, "…"),
    ],
)
def test_values_of_inputs_are_bounded(value: Json, expected: Json) -> None:
    assert bounded(value) == expected
