"""Measures the drain of no-op jobs while crons tick, other jobs are retried and clients listen."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

from benchmarks.live_servers import OUR_COMMAND, ours
from benchmarks.marks import clear, first_started_at
from benchmarks.measures.drain import BEGIN_S, until_empty
from benchmarks.measures.fan_out import loading
from benchmarks.measures.rounds import run_rounds
from benchmarks.processes import cpu_s, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import DATABASE, OURS, our_env
from ostinato import Call, Ostinato, Settings

CRONS = 50
EVERY = timedelta(seconds=1)
SOCKETS = 100
CALLED_AT_ONCE = 1_000
RETRIED_SHARE = 10  # one retried job for so many no-op jobs
RETRIED = {"functionName": "noop.flaky", "state": "success"}
NOOPS = {"functionName": "noop.act"}
TICKED = {"functionName": "noop.mutate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """One round: no-op jobs per second, processor time in ms per no-op job."""

    rate: float
    worker_ms: float
    servers_ms: float
    ticks: int
    retried: int


@dataclass(slots=True)
class Result:
    mixed: bool
    rounds: list[Drained] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return "mixed" if self.mixed else "alone"


def measure(servers: Servers, jobs: int, rounds: int) -> list[Result]:
    """Drain no-op jobs with an API process, alone and beside the other work, in each round."""
    results = [Result(mixed=False), Result(mixed=True)]

    def run(result: Result) -> str:
        result.rounds.append(_drain(servers, jobs, mixed=result.mixed))
        return f"{result.rounds[-1].rate:,.0f} no-op jobs/s"

    run_rounds(servers, results, rounds, run)
    return results


def _drain(servers: Servers, jobs: int, *, mixed: bool) -> Drained:
    clear(servers)
    program = OURS.program(servers)
    log = servers.folder / "worker.log"
    log.unlink(missing_ok=True)
    collection = servers.mongo[DATABASE]["jobs"]
    with ExitStack() as stack:
        api = stack.enter_context(ours(servers, OUR_COMMAND))
        program.call("enqueue", str(jobs))
        if mixed:
            stack.enter_context(loading()).open(api, SOCKETS, 1)
            asyncio.run(_add_other_work(servers, jobs // RETRIED_SHARE))
        worker = stack.enter_context(program.running(log, "work"))
        groups = ([worker], [servers.mongod, *servers.valkeys, api.child])
        wait_until(lambda: first_started_at(servers) is not None, BEGIN_S, [worker])
        before = [cpu_s(group) for group in groups]
        seconds = until_empty(servers, replace(OURS, is_empty=_are_noops_done), [worker])
        used = [(cpu_s(group) - b) * 1000 / jobs for group, b in zip(groups, before, strict=True)]
        return Drained(
            rate=jobs / seconds,
            worker_ms=used[0],
            servers_ms=used[1],
            ticks=collection.count_documents(TICKED),
            retried=collection.count_documents(RETRIED),
        )


def _are_noops_done(servers: Servers) -> bool:
    """Query like `OURS.is_empty`, which would also wait for the crons."""
    jobs = servers.mongo[DATABASE]["jobs"]
    return all(
        jobs.find_one({"state": state, **NOOPS}, hint=index) is None
        for state, index in (("pending", "due"), ("inProgress", "running"))
    )


async def _add_other_work(servers: Servers, retried: int) -> None:
    """Register crons, and schedule jobs that fail in their first attempt."""
    env = our_env(servers)
    settings = Settings(
        mongo_url=env["OSTINATO_MONGO_URL"],
        redis_url=env["OSTINATO_REDIS_URL"],
        database=DATABASE,
        functions=("benchmarks.noop",),
    )
    async with Ostinato(settings) as app:
        for n in range(CRONS):
            await app.register_cron(f"cron {n}", every=EVERY, function="noop.mutate")
        for start in range(0, retried, CALLED_AT_ONCE):
            numbers = range(start, min(start + CALLED_AT_ONCE, retried))
            await app.schedule_many([Call("noop.flaky", {"n": n}) for n in numbers])
