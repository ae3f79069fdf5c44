"""The commands that list failures and their groups, and that resolve or retry them."""

import asyncio
import json
from typing import Any

import pytest

from ostinato.application import Ostinato
from ostinato.jobs.filters import FailureFilter, FailureState
from ostinato.schema.ids import global_id
from tests.client.functions import break_down
from tests.engine.rig import run_worker
from tests.processes import eventually
from tests.test_setup_job_commands import app, failure, given, run, watching

__all__ = ["app", "given", "watching"]  # fixtures


async def fail(app: Ostinato, count: int) -> list[str]:
    """Let jobs fail; return their ids, which are those of their failures."""
    jobs = [await app.schedule(break_down, owner=f"user{n}") for n in range(count)]

    async def have_failed() -> bool:
        return len((await app.failures()).items) == count

    async with run_worker(app.settings):
        await eventually(have_failed, within=30)
    return [job.id for job in jobs]


async def test_failures_and_their_groups_are_listed(given: dict[str, str], app: Ostinato) -> None:
    ids = await fail(app, 2)
    listed = await asyncio.to_thread(run, given, "failures", "--json", "--owner", "user0")
    found = json.loads(listed)
    assert (found["id"], found["functionName"]) == (ids[0], "functions.breakDown")
    groups = await asyncio.to_thread(run, given, "failures", "groups", "--json")
    [group] = [json.loads(line) for line in groups.splitlines() if "user1" in line]
    assert group["count"] == 1
    of_group = ("--fingerprint", group["fingerprint"], "--since", "2020-01-01")
    table = await asyncio.to_thread(run, given, "failures", *of_group)
    assert all(one in table for one in (*ids, "OPEN", "user1"))
    later = await asyncio.to_thread(run, given, "failures", "--since", "2999-01-01", "--json")
    assert later == ""


async def test_one_failure_is_resolved_and_another_one_retried(
    given: dict[str, str], app: Ostinato
) -> None:
    ids = await fail(app, 2)
    resolved = global_id("Failure", ids[0])
    output = await asyncio.to_thread(run, given, "failures", "resolve", resolved)
    assert f"{ids[0]} RESOLVED" in output
    output = await asyncio.to_thread(run, given, "failures", "retry", ids[1])
    assert f"{ids[1]} PENDING" in output
    listed = await asyncio.to_thread(run, given, "failures", "--state", "resolved", "--json")
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [ids[0]]


async def test_all_failures_that_match_are_resolved_or_retried(
    given: dict[str, str], app: Ostinato
) -> None:
    await fail(app, 3)
    async with run_worker(app.settings):
        for args, expected in (
            (("retry", "--function", "a.b"), "RETRY_FAILURES DONE: no failure matches"),
            (("resolve", "--owner", "user0"), "RESOLVE_FAILURES DONE: 1 RESOLVED"),
            (("resolve", "--function", "functions.breakDown"), "RESOLVE_FAILURES DONE: 2 RESOLVED"),
        ):
            assert expected in await asyncio.to_thread(run, given, "failures", *args)
    every = FailureFilter(states=(FailureState.RESOLVED,))
    assert len((await app.failures(every)).items) == 3


@pytest.mark.parametrize("args", [(), ("0" * 24, "--all")])
@pytest.mark.parametrize("verb", ["resolve", "retry"])
def test_either_an_id_or_a_filter_is_required(
    given: dict[str, str], verb: str, args: tuple[str, ...]
) -> None:
    assert "either an id, or --function" in failure(given, "failures", verb, *args)


async def test_watched_failures_are_followed(
    given: dict[str, str], app: Ostinato, watching: Any
) -> None:
    [first] = await fail(app, 1)
    log = watching("failures", "--watch")
    await eventually(lambda: first in log.read_text())
    await app.resolve(first)
    await eventually(lambda: f"{first} RESOLVED" in log.read_text())
