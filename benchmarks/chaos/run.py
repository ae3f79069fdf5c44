"""One run: an installation under load, harmed again and again, then judged by what it left."""

import asyncio
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.chaos import checker, dump, history
from benchmarks.chaos.faults import FAULTS, Nemesis
from benchmarks.chaos.history import History
from benchmarks.chaos.installation import DATABASE, START_S, Installation, installed
from benchmarks.chaos.load import Orders
from benchmarks.chaos.operations import Acknowledged, Answered
from benchmarks.chaos.plan import MOST_AT_ONCE
from benchmarks.chaos.promises import CRONS
from benchmarks.chaos.recovery import PROMISED_S, Recovery, recovery
from ostinato.jobs.lifecycle import FINAL_STATES

CLIENT: Final = "client"
LOOK_EVERY_S: Final = 0.2
NOT_ENDED: Final = "the run did not come to its end"
LOAD_WITHIN_S: Final = 600.0  # a slow machine gets more time, a stuck one not for ever
CLIENT_ENDS_WITHIN_S: Final = 45.0  # its last calls, then its crons


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that has ended, and is still to be judged."""

    fault: str
    seed: int
    faults: int
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one run."""

    fault: str
    seed: int
    acknowledged: int
    """Different jobs that the API said it has."""
    unknown: int
    """Operations without an answer that says what happened."""
    faults: int
    recovery: Recovery
    took_s: float
    violations: dict[str, list[str]]
    besides: str = ""
    """What else there is to tell of this kind of run."""

    @property
    def is_ok(self) -> bool:
        return not self.violations


def run(fault: str, seed: int, jobs: int, folder: Path) -> Verdict:
    """Torture an installation whose data and logs are in the folder."""
    began = time.monotonic()
    faults = asyncio.run(_torture(fault, Random(f"{fault}-{seed}"), jobs, folder))  # noqa: S311 - no secret
    found = history.read(folder)
    ran = Ran(fault=fault, seed=seed, faults=faults, took_s=time.monotonic() - began)
    return verdict(ran, found, checker.violations(found))


def verdict(
    ran: Ran, found: History, violations: dict[str, list[str]], besides: str = ""
) -> Verdict:
    """Say what became of a run by what it left, and by what was found wrong in that."""
    return Verdict(
        fault=ran.fault,
        seed=ran.seed,
        acknowledged=len(_acknowledged(found)),
        unknown=sum(one.answer.answered is Answered.UNKNOWN for one in found.operations),
        faults=ran.faults,
        recovery=recovery(found),
        took_s=ran.took_s,
        violations=violations,
        besides=besides,
    )


def broken_down(fault: str, seed: int, error: Exception, took_s: float) -> Verdict:
    """Say of a run that did not work that it did not: nothing is known of its promises."""
    return Verdict(
        fault=fault,
        seed=seed,
        acknowledged=0,
        unknown=0,
        faults=0,
        recovery=Recovery(waiting=0, p50_s=0.0, p99_s=0.0, max_s=0.0, last_s=0.0),
        took_s=took_s,
        violations={NOT_ENDED: [repr(error)]},
    )


def clean(folder: Path, entirely: bool) -> None:
    """Remove a run's folder, or what takes most of its room: the servers' data."""
    for path in [folder] if entirely else [folder / "mongo", folder / "valkey"]:
        shutil.rmtree(path, ignore_errors=True)


def _acknowledged(found: History) -> set[object]:
    said = (one.answer.value.get("scheduled") for one in found.operations if one.is_ok)
    return {job_id for job_id in said if job_id is not None}


async def _torture(fault: str, random: Random, jobs: int, folder: Path) -> int:
    async with installed(Installation(folder=folder)) as installation:
        async with installation.tended():
            start_client(installation, random.randrange(2**32))
            counted = Acknowledged(folder / history.OPERATIONS)
            await begun(counted)
            faults = await _harm(fault, Nemesis(installation, random), counted, jobs)
            deadline = time.monotonic() + PROMISED_S
            await installation.stop(CLIENT, within_s=CLIENT_ENDS_WITHIN_S)
            has_settled = await settles(installation, deadline)
        await take_down(installation, has_settled)
    return faults


def start_client(installation: Installation, seed: int, at_once: int = MOST_AT_ONCE) -> None:
    orders = Orders(
        url=installation.api_url,
        tokens=installation.tokens(),
        seed=seed,
        log=str(installation.folder / history.OPERATIONS),
        mongo_url=installation.mongo_url,
        database=DATABASE,
        at_once=at_once,
    )
    installation.start(CLIENT, "-m", "benchmarks.chaos.load", json.dumps(asdict(orders)))


async def begun(counted: Acknowledged) -> None:
    async with asyncio.timeout(START_S):
        while not counted.count() or counted.crons < len(CRONS):
            await asyncio.sleep(LOOK_EVERY_S)


async def _harm(fault: str, nemesis: Nemesis, counted: Acknowledged, jobs: int) -> int:
    """Harm it until there were enough faults and jobs; return how many faults.

    After a fault that stops all work it is left alone as long: a slow machine must do its jobs.
    """
    plan, made, harmed_s = FAULTS[fault], 0, 0.0
    async with asyncio.timeout(LOAD_WITHIN_S):
        while made < plan.times or counted.count() < jobs:
            await nemesis.target.is_whole()
            pause_s = nemesis.random.uniform(0.5, 1.5) * plan.pause_s
            await asyncio.sleep(max(pause_s, harmed_s) if plan.stops_work else pause_s)
            nemesis.target.marks.note("began", fault=fault)
            began = time.monotonic()
            await plan.harm(nemesis)
            nemesis.target.marks.note("ended", fault=fault)
            harmed_s = time.monotonic() - began
            made += 1
    return made


async def settles(installation: Installation, deadline: float) -> bool:
    """Wait until every job has ended that is to be judged; False if some have not in time."""
    left_out = {"$nin": history.damaged_ids(installation.folder)}
    undone = {"state": {"$nin": sorted(FINAL_STATES)}, "_id": left_out, "cause.id": left_out}
    with installation.mongo() as mongo:
        while await asyncio.to_thread(mongo[DATABASE]["jobs"].find_one, undone, {"_id": 1}):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
    return True


async def take_down(installation: Installation, has_settled: bool) -> None:
    """Stop what could still write, then write down what the database holds.

    What is undone is written down first: workers that stop give it back, or end it.
    """
    path = installation.folder / history.DATABASE
    with installation.mongo() as mongo:
        if not has_settled:
            dump.write(mongo, path)
        await installation.stop(*installation.ours)
        if has_settled:
            dump.write(mongo, path)
