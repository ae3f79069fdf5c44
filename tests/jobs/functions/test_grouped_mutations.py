"""Jobs of built-in functions run in groups: exactly as they run alone, and exactly once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.functions.calendars import create_calendar
from ostinato.jobs.functions.crons import execute_cron
from ostinato.jobs.functions.grouped import GROUPED, Prefetch, ReadMany, read_nothing
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cause,
    CauseKind,
    Cron,
    JobInfo,
    Json,
    OverlapPolicy,
)
from ostinato.jobs.time_rules import Exclusions
from ostinato.jobs.transactions.grouped_mutations import (
    MAX_TRIES,
    GroupedMutations,
    GroupMember,
)
from ostinato.jobs.transactions.transactor import ExecutionIdentity
from tests.jobs.functions.pattern_rig import ALICE, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_crons import TICK, register

RUN = "tasks.runTask"
TICKS = GROUPED[TICK]
DAYS = "holidays"
STEPS = (timedelta(minutes=1), timedelta(minutes=4), timedelta(hours=13))
NOTHING: dict[str, Any] = {"_id": None}
EDIT = {"$inc": {"edits": 1}}
UNLIKE = ("name", "recordedAt", "purgeAt", "createdAt", "at", "lastRunTime")
"""Fields with the time of a call, and the name of the cron."""

Body = Callable[[Context], Awaitable[Json]]


def returned() -> None:
    """Free no slot."""


def member(
    body: Body,
    prefetch: Prefetch = read_nothing,
    args: Mapping[str, Any] | None = None,
    job: JobInfo | None = None,
) -> GroupMember:
    return GroupMember(
        identity=ExecutionIdentity(owner=ALICE, job=job),
        args=args or {},
        body=body,
        returned=returned,
        prefetch=prefetch,
    )


async def run_all(rig: PatternRig, members: Sequence[GroupMember]) -> list[tuple[Json] | None]:
    groups = GroupedMutations(rig.engine.transactor)
    return await asyncio.gather(*map(groups.run, members))


async def record(ctx: Context) -> Json:
    """Insert a document and schedule a job."""
    await ctx.scheduler.run_after(0, RUN, {"name": "recorded"})
    return await ctx.db.internal_collection("cronTicks").insert_one({"_id": ctx.new_id()})


async def test_jobs_are_committed_together(rig_without_worker: PatternRig) -> None:
    rig, reads = rig_without_worker, []

    async def prefetch(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
        reads.append(len(args))

    results = await run_all(rig, [member(record, prefetch) for _ in range(400)])
    stored = {document["_id"] for document in await rig.all("cronTicks")}
    assert {result[0] for result in results if result} == stored
    assert len(await rig.jobs(RUN)) == len(stored) == 400
    assert len(reads) < 400


async def fail(ctx: Context) -> Json:
    await record(ctx)
    raise RuntimeError("broken")


async def read_more(ctx: Context) -> Json:
    await record(ctx)
    await ctx.db.ostinato("crons").find_one({"_id": "unread"})
    return None


async def use_app_database(ctx: Context) -> Json:
    return await ctx.db["orders"].insert_one({"_id": "1"})


async def cancel(ctx: Context) -> Json:
    return await ctx.scheduler.cancel(ctx.new_id())


async def test_job_that_raises_or_needs_another_command_leaves_its_group(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    bodies = (record, fail, read_more, record, use_app_database, cancel, record)
    results = await run_all(rig, [member(body) for body in bodies])
    assert [result is not None for result in results] == [body is record for body in bodies]
    assert len(await rig.all("cronTicks")) == len(await rig.jobs(RUN)) == 3
    assert await rig.all("orders") == []


def touching(cron: Cron) -> Body:
    """Return a body that changes a cron."""

    async def touch(ctx: Context) -> Json:
        where, update = {"_id": cron.id}, {"$set": {"touched": True}}
        await ctx.db.internal_collection("crons").update_one(where, update)
        return cron.name

    return touch


async def test_conflict_reruns_the_group_and_a_job_that_always_conflicts_runs_alone(
    rig_without_worker: PatternRig,
) -> None:
    rig, tries = rig_without_worker, list[object]()
    crons = [await register(rig, name=name) for name in ("calm", "changed")]

    async def prefetch(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
        await read("crons", [each["cronId"] for each in args])
        tries.extend(each for each in args if each["cronId"] == crons[1].id)
        changes = [{"_id": each["cronId"]} for each in args if each["cronId"] == crons[1].id]
        await rig.engine.mongo["crons"].update_many({"$or": [NOTHING, *changes]}, EDIT)

    members = [member(touching(cron), prefetch, {"cronId": cron.id}) for cron in crons]
    assert await run_all(rig, members) == [("calm",), None]
    assert len(tries) == MAX_TRIES
    assert [cron.get("touched") for cron in await rig.all("crons")] == [True, None]


def counting(cron: Cron) -> Body:
    """Return a body that reads a count of a cron, and writes the next one."""

    async def count(ctx: Context) -> Json:
        crons = ctx.db.internal_collection("crons")
        found = await crons.find_one({"_id": cron.id, "owner": ALICE})
        assert found is not None
        counted = int(found.get("counted", 0)) + 1
        await crons.update_one({"_id": cron.id}, {"$set": {"counted": counted}})
        return counted

    return count


async def test_job_of_a_group_sees_what_earlier_ones_have_written(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)

    async def prefetch(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
        await read("crons", [cron.id])

    results = await run_all(rig, [member(counting(cron), prefetch) for _ in range(30)])
    assert {result[0] for result in results if result} == set(range(1, 31))
    assert (await rig.find_one("crons"))["counted"] == 30


async def test_job_whose_caller_is_canceled_before_its_turn_writes_nothing(
    rig_without_worker: PatternRig,
) -> None:
    rig, reached, opened = rig_without_worker, asyncio.Event(), asyncio.Event()

    async def prefetch(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
        reached.set()
        await opened.wait()

    groups = GroupedMutations(rig.engine.transactor)
    kept, canceled = (asyncio.create_task(groups.run(member(record, prefetch))) for _ in range(2))
    await reached.wait()
    canceled.cancel()
    opened.set()
    assert await kept is not None
    assert canceled.cancelled()
    await groups.close()
    assert len(await rig.all("cronTicks")) == 1


def job_info(tick: Mapping[str, Any]) -> JobInfo:
    """Return the running job of a tick."""
    return JobInfo(
        id=tick["_id"],
        function_name=TICK,
        attempt=1,
        max_attempts=5,
        owner=tick["owner"],
        cause=Cause(kind=CauseKind.CRON, id=tick["args"]["cronId"]),
        root_id=tick["_id"],
        scheduled_time=tick["scheduledTime"],
    )


def fields_of(draw: random.Random) -> dict[str, Any]:
    """Draw the fields of a cron."""
    exclusions = draw.choice((Exclusions(), Exclusions(), Exclusions(calendar=DAYS)))
    schedule = draw.choice(({"interval_ms": MINUTE}, {"cronspec": "* * * * *"}))
    return schedule | {
        "overlap": draw.choice([*OverlapPolicy]),
        "catch_up": draw.choice([*CatchUpPolicy]),
        "max_runs": draw.choice((None, None, 2)),
        "pause_after_failures": draw.choice((None, 1, 3)),
        "catch_up_window_ms": draw.choice((None, 90 * SECOND)),
        "exclusions": exclusions,
        "tags": draw.choice(((), ("nightly",))),
    }


async def execute_due(rig: PatternRig, ids: Sequence[str], *, grouped: bool) -> int:
    """Run the pending tick jobs of crons; return how many ran in groups."""
    jobs = rig.engine.mongo["jobs"]
    due = {"state": "pending", "args.cronId": {"$in": list(ids)}, "functionName": TICK}
    ticks = await jobs.find({**due, "scheduledTime": {"$lte": await rig.engine.now()}}).to_list(
        None
    )

    where = {"_id": {"$in": [tick["_id"] for tick in ticks]}}
    await jobs.update_many(where, {"$set": {"state": "inProgress", "attempt": 1}})

    def body_of(tick: Mapping[str, Any]) -> Callable[[Context], Awaitable[None]]:
        return lambda ctx: execute_cron(ctx, tick["args"]["cronId"])

    members = [member(body_of(tick), TICKS, tick["args"], job_info(tick)) for tick in ticks]
    results = await run_all(rig, members) if grouped else [None] * len(members)
    for result, each in zip(results, members, strict=True):
        if result is None:
            await rig.engine.transactor.run(each.identity, each.body)
    await jobs.update_many(where, {"$set": {"state": "success"}})
    return sum(result is not None for result in results)


async def end_runs(rig: PatternRig, crons: Sequence[Cron], draw: random.Random) -> None:
    """Let runs of the crons end, or not."""
    for cron in crons:
        for run in await rig.jobs(RUN, **{"cause.id": cron.id, "state": "pending"}):
            state = draw.choice(("success", "failed", "pending", "canceled"))
            change = {"$set": {"state": state}}
            await rig.engine.mongo["jobs"].update_one({"_id": run.id}, change)


async def history_of(rig: PatternRig, cron: Cron) -> object:
    """Return everything about a cron, with ids by their order."""
    names: dict[str, int] = {cron.id: -1}

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key not in UNLIKE}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        if isinstance(value, str) and len(value) == 24:
            return names.setdefault(value, len(names))
        return value

    jobs = await rig.all("jobs", **{"cause.id": cron.id})
    jobs.sort(key=lambda job: (job["functionName"], job["scheduledTime"], job["_id"]))
    documents = [*jobs, *await rig.all("crons", _id=cron.id)]
    return [plain(each) for each in (*documents, *await rig.all("cronTicks", cronId=cron.id))]


async def register_sets(rig: PatternRig, draw: random.Random) -> list[list[Cron]]:
    """Register the same crons twice, at a time that is held."""
    await rig.engine.clock.hold_at((await rig.engine.now()).replace(second=30, microsecond=0))
    days = NewCalendar(name=DAYS, dates=((await rig.engine.now()).date() + timedelta(days=1),))
    await rig.run_mutation(lambda ctx: create_calendar(ctx, days), None)
    drawn = [fields_of(draw) for _ in range(25)]
    return [
        [await register(rig, name=f"{name} {n}", **each) for n, each in enumerate(drawn)]
        for name in ("grouped", "alone")
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_ticks_in_groups_do_what_ticks_alone_do(
    rig_without_worker: PatternRig, seed: int
) -> None:
    rig, draw, in_groups = rig_without_worker, random.Random(seed), 0
    sets = await register_sets(rig, draw)
    for number in range(5):
        rig.engine.clock.held_at = await rig.engine.now() + draw.choice(STEPS)
        for crons in sets:
            ids = [cron.id for cron in crons]
            in_groups += await execute_due(rig, ids, grouped=crons is sets[0])
            await end_runs(rig, crons, random.Random(number))
    histories = [[await history_of(rig, cron) for cron in crons] for crons in sets]
    assert histories[0] == histories[1]
    assert in_groups > 40
