"""Purges whose processes are killed (SIGKILL) in the middle."""

import signal
from functools import partial
from typing import Any

import httpx
import pytest

from ostinato.jobs.functions.owners import PURGE_SLICE, purge_delay_ms, request_purge
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import ALICE, PatternRig
from tests.jobs.functions.test_crashes import FAST_SETTINGS
from tests.malformed import valid_document
from tests.processes import TLS, Processes, eventually

pytestmark = pytest.mark.audit("suspension and purge")

KILLERS = {**FAST_SETTINGS, "functions": ("tests.jobs.functions.purge_killers",)}
JOBS = 2 * PURGE_SLICE + 1  # three slices
ENDED: dict[str, dict[str, Any]] = {
    "jobs": {"state": "success"},
    "crons": {"enabled": False},
    "taskConfigs": {"enabled": False},
    "batches": {"state": "done"},
    "requests": {"state": "completed"},
    "failures": {},
}
PURGE = 'mutation { purgeOwner(input: {owner: "alice"}) { owner { id } } }'


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    """Return settings that detect a lost worker within two seconds."""
    return settings.model_copy(update=FAST_SETTINGS)


async def fill_and_suspend(rig: PatternRig) -> None:
    """Store ended objects of alice and of bob, a purge of which takes three slices."""
    for name, fields in ENDED.items():
        number = JOBS if name == "jobs" else 3
        await rig.engine.mongo[name].insert_many(
            valid_document(name, owner, **fields) for owner in (ALICE, "bob") for _ in range(number)
        )
    update = {"$set": {"suspendedAt": await rig.engine.now()}}
    await rig.engine.mongo["owners"].update_one({"_id": ALICE}, update, upsert=True)


async def stored(rig: PatternRig, owner: str) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of an owner in each collection that has any."""
    found = {name: await rig.all(name, owner=owner) for name in ENDED}
    return {name: documents for name, documents in found.items() if documents}


async def is_purged(rig: PatternRig) -> bool:
    await rig.engine.advance(1_000)  # the delay of a retry
    return bool(await rig.all("owners", purgedAt={"$type": "date"}))


async def test_purge_is_completed_by_another_worker_if_one_is_killed_in_the_middle(
    rig_without_worker: PatternRig, processes: Processes
) -> None:
    rig = rig_without_worker
    await fill_and_suspend(rig)
    of_bob = await stored(rig, "bob")
    await rig.run_mutation(lambda ctx: request_purge(ctx, ALICE), None)
    await rig.engine.advance(purge_delay_ms(rig.engine.settings))
    killed = processes.worker(**KILLERS)
    await eventually(lambda: killed.exit_code == -signal.SIGKILL)
    assert {name: len(left) for name, left in (await stored(rig, ALICE)).items()} == {
        "jobs": JOBS - PURGE_SLICE
    }
    processes.worker(**FAST_SETTINGS)
    await eventually(partial(is_purged, rig))
    assert (await stored(rig, ALICE), await stored(rig, "bob")) == ({}, of_bob)


async def test_requested_purge_is_completed_if_the_api_is_killed_before_its_response(
    rig_without_worker: PatternRig, processes: Processes
) -> None:
    rig = rig_without_worker
    await fill_and_suspend(rig)
    of_bob = await stored(rig, "bob")
    api = await processes.api(**KILLERS)
    headers = {"Authorization": f"Bearer {api.token('root', 'admin')}"}
    async with httpx.AsyncClient(timeout=60, verify=TLS, headers=headers) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(api.graphql_url, json={"query": PURGE})
    await eventually(lambda: api.child.exit_code == -signal.SIGKILL)
    [entry] = await rig.all("auditLog", mutation="purgeOwner")
    assert (entry["user"], entry["outcome"]) == ("root", None)
    processes.worker(**FAST_SETTINGS)
    await rig.engine.advance(purge_delay_ms(rig.engine.settings))
    await eventually(partial(is_purged, rig))
    assert (await stored(rig, ALICE), await stored(rig, "bob")) == ({}, of_bob)
