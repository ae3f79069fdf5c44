"""Measures what one of our jobs costs while many others are planned for next week."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.contestants import Contestant, our_env, ours_in
from benchmarks.measures.drain import Drained, drain
from benchmarks.processes import CouldNotRun, wait_until
from benchmarks.servers import Servers, asked
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind
from ostinato.jobs.registry import Registry
from ostinato.jobs.settings import Settings

WEEK = timedelta(days=7)
AT_ONCE = 2_000
START_S = 30.0
WATCH_S = 5.0
WRITERS = 2  # more would wait for the one disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an idle worker asked of the jobs, by the plan that answered it."""

    plan: str
    times: int
    most_keys: int
    most_documents: int
    longest_ms: int


@dataclass(slots=True)
class Result:
    planned: int
    contestant: Contestant
    rounds: list[Drained] = field(default_factory=list)
    planned_per_s: float = 0.0
    redis_queued: int = 0
    """Ids that wait in Redis."""
    redis_bytes: int = 0
    questions: "list[Question]" = field(default_factory=list)
    problem: str | None = None


def measure(servers: Servers, levels: Sequence[int], jobs: int, rounds: int) -> list[Result]:
    """Fill a database per level, then drain jobs in each of them, another first each round."""
    servers.clean()
    results = [Result(level, ours_in(f"backlog_{level}")) for level in levels]
    for result in results:
        _fill(servers, result)
    servers.mongo.admin.command("fsync")  # what was planned long ago rests on the disk
    for number in range(rounds):
        first = number % len(results)
        for result in (*results[first:], *results[:first]):
            try:
                result.rounds.append(drain(servers, result.contestant, jobs))
                found = f"{result.rounds[-1].drained:,.0f} jobs/s"
            except CouldNotRun as error:
                result.problem = found = str(error)
            print(f"  round {number + 1}: {result.planned:,} planned: {found}", flush=True)
    return results


def _fill(servers: Servers, result: Result) -> None:
    env = {**our_env(servers), **result.contestant.env}
    settings = Settings(
        mongo_url=env["OSTINATO_MONGO_URL"],
        redis_url=env["OSTINATO_REDIS_URL"],
        database=env["OSTINATO_DATABASE"],
        functions=("benchmarks.noop",),
    )
    result.planned_per_s = asyncio.run(_plan(settings, result.planned))
    servers.redis.flushall()
    result.questions = _questions(servers, result)
    result.redis_bytes, result.redis_queued = _redis(servers)
    print(f"  {result.planned:,} planned, {result.planned_per_s:,.0f} a second", flush=True)


async def _plan(settings: Settings, jobs: int) -> float:
    """Insert jobs for next week through our own code; returns the rate."""
    async with Engine.open(settings) as engine:
        started = asyncio.get_running_loop().time()
        next_week = await engine.now() + WEEK
        starts = iter(range(0, jobs, AT_ONCE))

        async def write() -> None:
            for start in starts:
                numbers = range(start, min(start + AT_ONCE, jobs))
                news = [_new(engine.registry, n, next_week) for n in numbers]
                now = datetime.now(UTC)
                await engine.store.insert([build_job_document(new, now, 0) for new in news])

        await asyncio.gather(*(write() for _ in range(WRITERS)))
        return jobs / (asyncio.get_running_loop().time() - started)


def _new(registry: Registry, n: int, due: datetime) -> NewJob:
    return NewJob(
        function=registry.resolve("noop.act"),
        args={"n": n},
        owner=f"planner-{n % 100}",
        cause=Cause(kind=CauseKind.API),
        scheduled_time=due + timedelta(milliseconds=n),
    )


def _redis(servers: Servers) -> tuple[int, int]:
    """Return the bytes of all keys, and how many entries our queue has."""
    names = [name.decode() for name in servers.redis.scan_iter()]
    size = sum(asked(servers.redis, "memory", "usage", name) for name in names)
    return size, asked(servers.redis, "zcard", "ostinato:queue")


def _questions(servers: Servers, result: Result) -> list[Question]:
    """Let MongoDB record what a worker asks of the jobs while none is due, and how it answers."""
    database = servers.mongo[result.contestant.env["OSTINATO_DATABASE"]]
    program = result.contestant.program(servers)
    with program.running(servers.folder / "worker.log", "work") as worker:
        wait_until(lambda: database["workers"].find_one() is not None, START_S, [worker])
        database.command("profile", 2)
        time.sleep(WATCH_S)
        database.command("profile", 0)
    found = database["system.profile"].aggregate(
        [
            {"$match": {"ns": f"{database.name}.jobs", "planSummary": {"$exists": True}}},
            {
                "$group": {
                    "_id": "$planSummary",
                    "times": {"$sum": 1},
                    "keys": {"$max": "$keysExamined"},
                    "documents": {"$max": "$docsExamined"},
                    "ms": {"$max": "$millis"},
                }
            },
            {"$sort": {"_id": 1}},
        ]
    )
    return [
        Question(
            plan=each["_id"],
            times=each["times"],
            most_keys=each["keys"] or 0,
            most_documents=each["documents"] or 0,
            longest_ms=each["ms"],
        )
        for each in found
    ]
