"""One run: faults are injected into an installation under load, and its files are checked."""

import asyncio
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.chaos import checker, dump, history
from benchmarks.chaos.expectations import CRONS
from benchmarks.chaos.faults import FAULTS, Nemesis
from benchmarks.chaos.history import History
from benchmarks.chaos.installation import DATABASE, START_S, Installation, running
from benchmarks.chaos.load import Config
from benchmarks.chaos.operations import AcknowledgedJobs, Outcome
from benchmarks.chaos.plan import MAX_REQUESTS
from benchmarks.chaos.recovery import MAX_RECOVERY_S, Recovery, recovery
from ostinato.jobs.lifecycle import FINAL_STATES

CLIENT: Final = "client"
POLL_S: Final = 0.2
NOT_FINISHED: Final = "the run did not finish"
LOAD_WITHIN_S: Final = 600.0  # enough for a slow machine, and a limit for a stuck one
CLIENT_ENDS_WITHIN_S: Final = 45.0  # its last calls, then its crons


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A finished run that has not been checked."""

    fault: str
    seed: int
    faults: int
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of one run."""

    fault: str
    seed: int
    acknowledged: int
    """The number of acknowledged jobs."""
    unknown: int
    """The number of operations with an unknown outcome."""
    faults: int
    recovery: Recovery
    took_s: float
    violations: dict[str, list[str]]
    details: str = ""
    """More information about this kind of run."""

    @property
    def is_ok(self) -> bool:
        return not self.violations


def run(fault: str, seed: int, jobs: int, folder: Path) -> RunResult:
    """Run an installation in the folder, inject faults, and check the result."""
    started = time.monotonic()
    faults = asyncio.run(_run_with_faults(fault, Random(f"{fault}-{seed}"), jobs, folder))  # noqa: S311 - no secret
    found = history.read(folder)
    finished = FinishedRun(fault=fault, seed=seed, faults=faults, took_s=time.monotonic() - started)
    return result(finished, found, checker.violations(found))


def result(
    finished: FinishedRun, found: History, violations: dict[str, list[str]], details: str = ""
) -> RunResult:
    """Return the result of a run with these violations."""
    return RunResult(
        fault=finished.fault,
        seed=finished.seed,
        acknowledged=len(_acknowledged(found)),
        unknown=sum(call.answer.outcome is Outcome.UNKNOWN for call in found.operations),
        faults=finished.faults,
        recovery=recovery(found),
        took_s=finished.took_s,
        violations=violations,
        details=details,
    )


def crashed(fault: str, seed: int, error: Exception, took_s: float) -> RunResult:
    """Return the result of a run that raised an error: its guarantees were not checked."""
    return RunResult(
        fault=fault,
        seed=seed,
        acknowledged=0,
        unknown=0,
        faults=0,
        recovery=Recovery(waiting=0, p50_s=0.0, p99_s=0.0, max_s=0.0, last_s=0.0),
        took_s=took_s,
        violations={NOT_FINISHED: [repr(error)]},
    )


def clean(folder: Path, entirely: bool) -> None:
    """Remove a run's folder, or only the data of its servers."""
    for path in [folder] if entirely else [folder / "mongo", folder / "valkey"]:
        shutil.rmtree(path, ignore_errors=True)


def _acknowledged(found: History) -> set[object]:
    ids = (call.answer.value.get("scheduled") for call in found.operations if call.is_ok)
    return {job_id for job_id in ids if job_id is not None}


async def _run_with_faults(fault: str, random: Random, jobs: int, folder: Path) -> int:
    async with running(Installation(folder=folder)) as installation:
        async with installation.supervision():
            start_client(installation, random.randrange(2**32))
            acknowledged = AcknowledgedJobs(folder / history.OPERATIONS)
            await wait_for_load(acknowledged)
            faults = await _inject_faults(fault, Nemesis(installation, random), acknowledged, jobs)
            deadline = time.monotonic() + MAX_RECOVERY_S
            await installation.stop(CLIENT, within_s=CLIENT_ENDS_WITHIN_S)
            has_settled = await wait_until_settled(installation, deadline)
            await installation.wait_until_started()  # a starting process does not stop cleanly
        await stop_and_dump(installation, has_settled)
    return faults


def start_client(installation: Installation, seed: int, max_requests: int = MAX_REQUESTS) -> None:
    config = Config(
        url=installation.api_url,
        tokens=installation.tokens(),
        seed=seed,
        log=str(installation.folder / history.OPERATIONS),
        database=DATABASE,
        max_requests=max_requests,
    )
    installation.start(CLIENT, "-m", "benchmarks.chaos.load", json.dumps(asdict(config)))


async def wait_for_load(acknowledged: AcknowledgedJobs) -> None:
    async with asyncio.timeout(START_S):
        while not acknowledged.count() or acknowledged.crons < len(CRONS):
            await asyncio.sleep(POLL_S)


async def _inject_faults(
    fault: str, nemesis: Nemesis, acknowledged: AcknowledgedJobs, jobs: int
) -> int:
    """Inject faults until there are enough faults and jobs; return the number of faults.

    After a fault that stops all work, wait as long as it lasted, so that jobs can run.
    """
    plan, count, fault_s = FAULTS[fault], 0, 0.0
    async with asyncio.timeout(LOAD_WITHIN_S):
        while count < plan.times or acknowledged.count() < jobs:
            await nemesis.target.wait_until_started()
            pause_s = nemesis.random.uniform(0.5, 1.5) * plan.pause_s
            await asyncio.sleep(max(pause_s, fault_s) if plan.stops_work else pause_s)
            nemesis.target.fault_log.write("began", fault=fault)
            started = time.monotonic()
            await plan.inject(nemesis)
            nemesis.target.fault_log.write("ended", fault=fault)
            fault_s = time.monotonic() - started
            count += 1
    return count


async def wait_until_settled(installation: Installation, deadline: float) -> bool:
    """Wait until every checked job has ended; return False if the deadline passes first."""
    excluded = {"$nin": history.malformed_ids(installation.folder)}
    unfinished = {"state": {"$nin": sorted(FINAL_STATES)}, "_id": excluded, "cause.id": excluded}
    with installation.mongo() as mongo:
        while await asyncio.to_thread(mongo[DATABASE]["jobs"].find_one, unfinished, {"_id": 1}):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
    return True


async def stop_and_dump(installation: Installation, has_settled: bool) -> None:
    """Stop all processes that could write, then dump the database.

    Unfinished jobs are dumped before: workers release or finish them when they stop.
    """
    path = installation.folder / history.DATABASE
    with installation.mongo() as mongo:
        if not has_settled:
            dump.write(mongo, path)
        await installation.stop(*installation.supervised)
        if has_settled:
            dump.write(mongo, path)
