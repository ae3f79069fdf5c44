"""One live run: clients are subscribed under load while their servers are killed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.chaos import history
from benchmarks.chaos.installation import running
from benchmarks.chaos.live import checker, patterns
from benchmarks.chaos.live.installation import BACKGROUND_LOAD, CLIENTS, LiveInstallation
from benchmarks.chaos.live.nemesis import FAULTS, Nemesis
from benchmarks.chaos.live.replica_set import ReplicaSet
from benchmarks.chaos.operations import AcknowledgedJobs
from benchmarks.chaos.recovery import MAX_RECOVERY_S
from benchmarks.chaos.run import (
    CLIENT,
    CLIENT_ENDS_WITHIN_S,
    LOAD_WITHIN_S,
    FinishedRun,
    RunResult,
    result,
    start_client,
    stop_and_dump,
    wait_for_load,
    wait_until_settled,
)

FAULT: Final = "live"
CLIENT_COUNT: Final = 200
JOBS_SHARE: Final = 0.2  # of the other kinds of runs: each event goes to 200 clients
MAX_REQUESTS: Final = 4  # few, because calls are slow with so many clients
PAUSE_S: Final = 4.0
CATCH_UP_WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The number of clients, and the faults, each of which is injected at least once."""

    clients: int = CLIENT_COUNT
    faults: Sequence[str] = tuple(FAULTS)


FULL_SCALE: Final = Scale()


def run(fault: str, seed: int, jobs: int, folder: Path, scale: Scale = FULL_SCALE) -> RunResult:
    """Run an installation in the folder, inject faults, and check the result."""
    started = time.monotonic()
    random = Random(f"{fault}-{seed}")  # noqa: S311 - no secret
    faults = asyncio.run(_run_with_faults(random, round(jobs * JOBS_SHARE), folder, scale))
    found, clients, known = checker.read(folder)
    finished = FinishedRun(fault=fault, seed=seed, faults=faults, took_s=time.monotonic() - started)
    violations = {**checker.all_violations(found, clients, known), **patterns.read(folder)}
    return result(finished, found, violations, checker.summary(clients))


async def _run_with_faults(random: Random, jobs: int, folder: Path, scale: Scale) -> int:
    installation = LiveInstallation(folder=folder, replica_set=ReplicaSet(folder=folder))
    async with running(installation):
        async with installation.supervision():
            installation.start_clients(scale.clients, random.randrange(2**32))
            start_client(installation, random.randrange(2**32), MAX_REQUESTS)
            installation.start_background_load(random.randrange(2**32))
            acknowledged = AcknowledgedJobs(folder / history.OPERATIONS)
            await wait_for_load(acknowledged)
            faults = await _inject_faults(
                Nemesis(installation, random), scale.faults, acknowledged, jobs
            )
            deadline = time.monotonic() + MAX_RECOVERY_S
            await installation.stop(CLIENT, BACKGROUND_LOAD, within_s=CLIENT_ENDS_WITHIN_S)
            has_settled = await wait_until_settled(installation, deadline)
            await installation.wait_until_started()
            await installation.stop(CLIENTS, within_s=CATCH_UP_WITHIN_S)
        await stop_and_dump(installation, has_settled)
    return faults


async def _inject_faults(
    nemesis: Nemesis, wanted: Sequence[str], acknowledged: AcknowledgedJobs, jobs: int
) -> int:
    """Inject each fault repeatedly until there are enough jobs; return the number of faults.

    After a fault, wait as long as it lasted, so that jobs can run.
    """
    count, fault_s = 0, 0.0
    faults = list(wanted)
    async with asyncio.timeout(LOAD_WITHIN_S):
        while count < len(faults) or acknowledged.count() < jobs:
            if count % len(faults) == 0:
                nemesis.random.shuffle(faults)
            fault = faults[count % len(faults)]
            await nemesis.target.wait_until_started()
            await asyncio.sleep(max(nemesis.random.uniform(0.5, 1.5) * PAUSE_S, fault_s))
            nemesis.target.fault_log.write("began", fault=fault)
            started = time.monotonic()
            await FAULTS[fault](nemesis)
            nemesis.target.fault_log.write("ended", fault=fault)
            fault_s = time.monotonic() - started
            count += 1
    return count
