"""Measures the cost of a job while many others are scheduled for next week."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.measures.drain import Drained, drain
from benchmarks.processes import CouldNotRun, wait_until
from benchmarks.servers import Servers, query_number
from benchmarks.systems import System, our_env, ours_in
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind
from ostinato.jobs.registry import Registry
from ostinato.jobs.settings import Settings

WEEK = timedelta(days=7)
CHUNK_SIZE = 2_000
START_S = 30.0
WATCH_S = 5.0
WRITER_COUNT = 2  # more would only wait for the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStats:
    """The queries of an idle worker on jobs that used the same query plan."""

    plan: str
    times: int
    max_keys: int
    max_documents: int
    max_ms: int


@dataclass(slots=True)
class Result:
    planned: int
    system: System
    rounds: list[Drained] = field(default_factory=list)
    planned_per_s: float = 0.0
    redis_queued: int = 0
    """The number of ids in the Redis queue."""
    redis_bytes: int = 0
    queries: "list[QueryStats]" = field(default_factory=list)
    problem: str | None = None


def measure(servers: Servers, levels: Sequence[int], jobs: int, rounds: int) -> list[Result]:
    """Fill a database for each level, then drain jobs in all of them, in rotating order."""
    servers.clean()
    results = [Result(level, ours_in(f"backlog_{level}")) for level in levels]
    for result in results:
        _fill(servers, result)
    servers.mongo.admin.command("fsync")  # a real backlog is on disk, too
    for number in range(rounds):
        first = number % len(results)
        for result in (*results[first:], *results[:first]):
            try:
                result.rounds.append(drain(servers, result.system, jobs))
                found = f"{result.rounds[-1].drained:,.0f} jobs/s"
            except CouldNotRun as error:
                result.problem = found = str(error)
            print(f"  round {number + 1}: {result.planned:,} planned: {found}", flush=True)
    return results


def _fill(servers: Servers, result: Result) -> None:
    env = {**our_env(servers), **result.system.env}
    settings = Settings(
        mongo_url=env["OSTINATO_MONGO_URL"],
        redis_url=env["OSTINATO_REDIS_URL"],
        database=env["OSTINATO_DATABASE"],
        functions=("benchmarks.noop",),
    )
    result.planned_per_s = asyncio.run(_plan(settings, result.planned))
    servers.redis.flushall()
    result.queries = _profile_queries(servers, result)
    result.redis_bytes, result.redis_queued = _redis(servers)
    print(f"  {result.planned:,} planned, {result.planned_per_s:,.0f} a second", flush=True)


async def _plan(settings: Settings, jobs: int) -> float:
    """Insert jobs for next week with the engine, and return the rate."""
    async with Engine.open(settings) as engine:
        started = asyncio.get_running_loop().time()
        next_week = await engine.now() + WEEK
        starts = iter(range(0, jobs, CHUNK_SIZE))

        async def write() -> None:
            for start in starts:
                numbers = range(start, min(start + CHUNK_SIZE, jobs))
                new_jobs = [_new_job(engine.registry, n, next_week) for n in numbers]
                now = datetime.now(UTC)
                documents = [build_job_document(new, now, 0) for new in new_jobs]
                await engine.store.insert([encode_document(one) for one in documents])

        await asyncio.gather(*(write() for _ in range(WRITER_COUNT)))
        return jobs / (asyncio.get_running_loop().time() - started)


def _new_job(registry: Registry, n: int, due: datetime) -> NewJob:
    return NewJob(
        function=registry.resolve("noop.act"),
        args={"n": n},
        owner=f"planner-{n % 100}",
        cause=Cause(kind=CauseKind.API),
        scheduled_time=due + timedelta(milliseconds=n),
    )


def _redis(servers: Servers) -> tuple[int, int]:
    """Return the size of all keys, and the number of entries in the queue."""
    names = [name.decode() for name in servers.redis.scan_iter()]
    size = sum(query_number(servers.redis, "memory", "usage", name) for name in names)
    return size, query_number(servers.redis, "zcard", "ostinato:queue")


def _profile_queries(servers: Servers, result: Result) -> list[QueryStats]:
    """Record the queries on jobs of an idle worker with MongoDB's profiler."""
    database = servers.mongo[result.system.env["OSTINATO_DATABASE"]]
    program = result.system.program(servers)
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
        QueryStats(
            plan=group["_id"],
            times=group["times"],
            max_keys=group["keys"] or 0,
            max_documents=group["documents"] or 0,
            max_ms=group["ms"],
        )
        for group in found
    ]
