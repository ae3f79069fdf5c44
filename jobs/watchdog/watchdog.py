"""Looks for reasons for alerts, in one API process at a time, and opens and ends alerts."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ostinato.jobs.activity import ActivityRange
from ostinato.jobs.alerts import MAX_SUBJECTS, WATCHDOG, Alert, AlertKind, Condition
from ostinato.jobs.async_tools.supervision import keep_running
from ostinato.jobs.engine import Engine
from ostinato.jobs.function_counters import OTHER
from ostinato.jobs.ids import new_id
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.maintenance.election import Candidate, LeaderElection, leader_lease_ms
from ostinato.jobs.mongo.activity import ActivityStore
from ostinato.jobs.mongo.alert_conditions import ConditionReader
from ostinato.jobs.mongo.client import MongoError
from ostinato.jobs.registry import time_limit_ms
from ostinato.jobs.watchdog.webhook import AlertWebhook

SLOW_EVERY: Final = 5  # passes; only the workers are checked in each
RESIGN_TIMEOUT_S: Final = 1.0

Check = Callable[[], Awaitable[list[Condition] | None]]
"""Returns the conditions of a kind; None if they cannot be judged now."""

log = get_log(__name__)


class Watchdog:
    """The checks of one API process, run while it leads."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` measures how long no worker was registered, in seconds."""
        self._engine = engine
        self._settings = engine.settings
        self._clock = clock
        self._reader = ConditionReader(engine.mongo)
        self._activity = ActivityStore(engine.mongo, engine.function_counters.is_internal)
        self._without_worker_since: float | None = None
        self._is_without_worker = False
        self._failed = RepeatedWarning(log, "watchdog.check_failed")
        self._passes = 0

    async def run(self) -> None:
        """Check until canceled."""
        while True:
            is_slow_pass = self._passes % SLOW_EVERY == 0
            self._passes += 1
            await self.check(self.slow_checks() if is_slow_pass else self.fast_checks())
            await asyncio.sleep(self._settings.watchdog_ms / 1_000)

    async def check(self, checks: Mapping[AlertKind, Check]) -> None:
        """Open an alert for each new condition, and end those whose conditions have ended.

        Alerts of a kind whose check fails or returns None stay as they are.
        """
        found: dict[AlertKind, list[Condition]] = {}
        for kind, check in checks.items():
            try:
                conditions = await check()
            except MongoError as error:
                self._failed.write(error, kind=kind.value)
            else:
                if conditions is not None:
                    found[kind] = conditions
        await self._open_and_end(found)

    async def _open_and_end(self, found: Mapping[AlertKind, list[Condition]]) -> None:
        alerts = self._engine.alerts
        known = await alerts.read_keys(found)
        conditions = {each.key: each for of_kind in found.values() for each in of_kind}
        for key, condition in conditions.items():
            if key not in known and (opened := await alerts.open(condition)) is not None:
                log.warning("alert.opened", **_fields_of(opened))
        cut = {kind.value for kind, each in found.items() if len(each) >= MAX_SUBJECTS}
        for key, alert_id in known.items():
            if key in conditions or key.partition(":")[0] in cut:
                continue
            if (ended := await alerts.end(alert_id)) is not None:
                log.info("alert.resolved", **_fields_of(ended))

    def fast_checks(self) -> dict[AlertKind, Check]:
        return {AlertKind.NO_WORKER: self._find_no_worker}

    def slow_checks(self) -> dict[AlertKind, Check]:
        """Return all checks."""
        return {
            **self.fast_checks(),
            AlertKind.QUEUE_NOT_SERVED: self._find_unserved_queues,
            AlertKind.CRON_LATE: self._find_late_crons,
            AlertKind.JOB_STUCK: self._find_stuck_jobs,
            AlertKind.CRON_FAILING: self._find_failing_crons,
            AlertKind.FUNCTION_FAILING: self._find_failing_functions,
        }

    async def _find_no_worker(self) -> list[Condition]:
        """Measure the silence of all workers; one without a heartbeat begins when it is noticed."""
        after, now = _ms(self._settings.alert_no_worker_after_ms), self._clock()
        silence = await self._reader.read_silence()
        if silence is not None:
            self._without_worker_since = now - silence.total_seconds()
        elif self._without_worker_since is None:
            self._without_worker_since = now
        self._is_without_worker = now - self._without_worker_since >= after.total_seconds()
        return [Condition.no_worker(after)] if self._is_without_worker else []

    async def _find_unserved_queues(self) -> list[Condition] | None:
        if self._is_without_worker:  # has an alert of its own
            return None
        before = await self._before(self._settings.alert_queue_after_ms)
        heads = await self._engine.queues.due.all_lane_heads()
        due = {lane.queue for lane, at in heads.items() if at <= before}
        served = await self._engine.workers.find_served_queues(self._settings.lease_ms)
        stored = await self._engine.queues.store.all()
        paused = {name for name, queue in stored.items() if queue.paused}
        return [Condition.queue_not_served(each) for each in _limited(due - served - paused)]

    async def _find_late_crons(self) -> list[Condition]:
        before = await self._before(self._settings.alert_cron_late_after_ms)
        return list(map(Condition.cron_late, await self._reader.find_late_crons(before)))

    async def _find_stuck_jobs(self) -> list[Condition]:
        grace = _ms(self._settings.alert_job_stuck_after_ms)
        before = await self._before(self._settings.alert_job_stuck_after_ms)
        found: list[Condition] = []
        for job in await self._reader.find_long_running(before):
            timeout = self._timeout_of(job.get("timeoutMs"), job["functionName"])
            if job["startedAt"] < before - timeout and len(found) < MAX_SUBJECTS:
                found.append(Condition.job_stuck(job, timeout, grace))
        return found

    def _timeout_of(self, own_ms: object, function_name: str) -> timedelta:
        function = self._engine.registry.get(function_name)
        if isinstance(own_ms, int):
            return _ms(own_ms)
        if function is not None:
            return _ms(time_limit_ms(function, self._settings))
        return _ms(max(self._settings.action_timeout_ms, self._settings.mutation_timeout_ms))

    async def _find_failing_crons(self) -> list[Condition]:
        failures = self._settings.alert_failures
        if not failures:
            return []
        found = await self._reader.find_failing_crons(failures)
        return [Condition.cron_failing(cron, failures) for cron in found]

    async def _find_failing_functions(self) -> list[Condition]:
        failures, now = self._settings.alert_failures, await self._engine.now()
        if not failures:
            return []
        outcomes = await self._activity.read_outcomes(ActivityRange.FIFTEEN_MINUTES, now)
        failing = {
            name
            for name, (succeeded, failed) in outcomes.items()
            if failed >= failures and not succeeded and name != OTHER
        }
        return [Condition.function_failing(name, failures) for name in _limited(failing)]

    async def _before(self, ms: int) -> datetime:
        """Return scheduler time, some milliseconds ago."""
        return await self._engine.now() - _ms(ms)


@asynccontextmanager
async def watching(engine: Engine) -> AsyncIterator[None]:
    """Take part in the election of the API process that watches, until the exit."""
    settings = engine.settings
    if not settings.watchdog_ms:
        yield
        return
    candidate = Candidate(role=WATCHDOG, id=new_id(), lease_ms=leader_lease_ms(settings))
    duties = [partial(keep_running, "watchdog", Watchdog(engine).run)]
    if settings.alert_webhook_url is not None:
        webhook = AlertWebhook(engine.alerts, settings)
        duties.append(partial(keep_running, "alert webhook", webhook.run))
    election = LeaderElection(engine.workers, candidate, tuple(duties), _can_lead)
    task = asyncio.create_task(keep_running("watchdog election", election.run))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(MongoError, TimeoutError):
            async with asyncio.timeout(RESIGN_TIMEOUT_S):
                await election.resign()


async def _can_lead() -> bool:
    return True


def _limited(names: Iterable[str]) -> list[str]:
    return sorted(names)[:MAX_SUBJECTS]


def _ms(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


def _fields_of(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": alert.id,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "message": alert.message,
    }
