"""Calls that change a cron, and its ticks, whose process is killed (SIGKILL) around the commit:
they have taken effect entirely or not at all, and can be repeated."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx
import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.documents import cron_from
from ostinato.jobs.errors import VersionConflict
from ostinato.jobs.functions.cron_changes import skip_next_run, update_cron
from ostinato.jobs.functions.cron_runs import TickPeriod, backfill_cron, trigger_cron
from ostinato.jobs.functions.cron_sets import apply_crons
from ostinato.jobs.functions.crons import pause_cron, resume_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.mongo.transaction import Contended
from ostinato.jobs.records import Cron, JobState, JsonObject, OverlapPolicy
from ostinato.jobs.settings import Settings
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.jobs.functions.cron_killers import AFTER, BEFORE, KILL_AT
from tests.jobs.functions.pattern_rig import ALICE, MINUTE, PatternRig
from tests.jobs.functions.test_crashes import FAST_SETTINGS
from tests.jobs.functions.test_cron_changes import RUN
from tests.jobs.functions.test_cron_races import check
from tests.jobs.functions.test_crons import register
from tests.processes import TLS, Processes, eventually

pytestmark = pytest.mark.slow

KILLERS: Final = {**FAST_SETTINGS, "functions": ("tests.jobs.functions.cron_killers",)}
SET: Final = "deployment"
DECLARED: Final[JsonObject] = {"name": "cleanup", "args": {}, "intervalMs": 5 * MINUTE}


def period_of(cron: Cron) -> TickPeriod:
    """Return the period of the two ticks that have passed."""
    return TickPeriod(cron.next_run_time, cron.next_run_time + timedelta(minutes=2))


def declare(ctx: Context, interval_ms: int) -> Awaitable[object]:
    return apply_crons(ctx, SET, [NewCron(name="cleanup", args={}, interval_ms=interval_ms)])


VERBS: Final[Mapping[str, tuple[str, JsonObject, Callable[[Context, Cron], Awaitable[object]]]]] = {
    "updateCron": (
        op.UPDATE_CRON,
        {"args": {"name": "other"}},
        lambda ctx, cron: update_cron(ctx, cron.id, {"args": {"name": "other"}}, cron.version),
    ),
    "skipNextRun": (
        op.SKIP_NEXT_RUN,
        {},
        lambda ctx, cron: skip_next_run(ctx, cron.id, cron.version),
    ),
    "triggerCron": (
        op.TRIGGER_CRON,
        {"key": "k"},
        lambda ctx, cron: trigger_cron(ctx, cron.id, "k"),
    ),
    "backfillCron": (
        op.BACKFILL_CRON,
        {},
        lambda ctx, cron: backfill_cron(ctx, cron.id, period_of(cron)),
    ),
    "pauseCron": (op.PAUSE_CRON, {}, lambda ctx, cron: pause_cron(ctx, cron.id)),
    "resumeCron": (op.RESUME_CRON, {}, lambda ctx, cron: resume_cron(ctx, cron.id)),
    "applyCrons": (
        op.APPLY_CRONS,
        {"managedBy": SET, "crons": [DECLARED]},
        lambda ctx, cron: declare(ctx, 5 * MINUTE),
    ),
}
"""For each verb: its document and input, and how to repeat the call."""


def input_of(verb: str, cron: Cron) -> JsonObject:
    if verb == "applyCrons":
        return VERBS[verb][1]
    given: JsonObject = {"cronId": global_id("Cron", cron.id), **VERBS[verb][1]}
    if verb == "backfillCron":
        period = period_of(cron)
        given |= {"from": format_instant(period.start), "to": format_instant(period.end)}
    return given


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that detect a lost worker within two seconds."""
    return settings.model_copy(update=FAST_SETTINGS)


async def prepare(rig: PatternRig, verb: str) -> Cron:
    """Store a cron, two ticks of which have passed during a pause; one to resume stays paused."""
    if verb == "applyCrons":
        await rig.run_mutation(lambda ctx: declare(ctx, MINUTE))
        cron = cron_from(await rig.find_one("crons"))
    else:
        cron = await register(rig, overlap=OverlapPolicy.ALLOW)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.engine.advance(2 * MINUTE)
    if verb != "resumeCron":
        await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    return replace(cron, version=(await rig.find_one("crons"))["version"])


async def call_until_killed(processes: Processes, document: str, input_: JsonObject) -> None:
    api = await processes.api(**KILLERS)
    headers = {"Authorization": f"Bearer {api.token(ALICE)}"}
    body = {"query": document, "variables": {"input": input_}}
    async with httpx.AsyncClient(timeout=60, verify=TLS, headers=headers) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(api.graphql_url, json=body)
    await eventually(lambda: api.child.exit_code == -signal.SIGKILL)


async def repeat(rig: PatternRig, cron: Cron, verb: str) -> None:
    """Repeat a call, also while the killed process's transaction holds its locks."""

    async def is_done() -> bool:
        try:
            await rig.run_mutation(lambda ctx: VERBS[verb][2](ctx, cron))
        except VersionConflict:
            return True
        except Contended:
            return False
        return True

    await eventually(is_done)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("verb", VERBS)
async def test_repeated_call_of_a_killed_api_changes_the_cron_once(
    rig_without_worker: PatternRig,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    when: str,
) -> None:
    rig, cron = rig_without_worker, await prepare(rig_without_worker, verb)
    monkeypatch.setenv(KILL_AT, when)
    await call_until_killed(processes, VERBS[verb][0], input_of(verb, cron))
    assert (await rig.find_one("crons"))["version"] == cron.version + (when == AFTER)
    await repeat(rig, cron, verb)
    assert (await rig.find_one("crons"))["version"] == cron.version + 1
    await check(rig, cron.id)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
async def test_tick_of_a_killed_worker_runs_once(
    rig_without_worker: PatternRig,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    rig, cron = rig_without_worker, await register(rig_without_worker)
    await rig.engine.advance(MINUTE)
    monkeypatch.setenv(KILL_AT, when)
    killed = processes.worker(**KILLERS)
    await eventually(lambda: killed.exit_code == -signal.SIGKILL)
    assert len(await rig.all("cronTicks")) == (when == AFTER)
    processes.worker(**FAST_SETTINGS)
    await eventually(lambda: rig.jobs(RUN, state=JobState.SUCCESS.value))
    await rig.wait_until_settled()
    [tick] = await rig.all("cronTicks")
    assert (tick["outcome"], tick["scheduledTime"]) == ("ran", cron.next_run_time)
    await check(rig, cron.id)
