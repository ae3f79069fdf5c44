"""One run against the live layer: clients watch a load while their servers are killed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.chaos import history
from benchmarks.chaos.installation import installed
from benchmarks.chaos.live import judge
from benchmarks.chaos.live.installation import CLIENTS, OTHERS, LiveInstallation
from benchmarks.chaos.live.nemesis import WAYS, Nemesis
from benchmarks.chaos.live.replica_set import ReplicaSet
from benchmarks.chaos.operations import Acknowledged
from benchmarks.chaos.recovery import PROMISED_S
from benchmarks.chaos.run import (
    CLIENT,
    CLIENT_ENDS_WITHIN_S,
    LOAD_WITHIN_S,
    Ran,
    Verdict,
    begun,
    settles,
    start_client,
    take_down,
    verdict,
)

FAULT: Final = "live"
WATCHERS: Final = 200
JOBS_SHARE: Final = 0.2  # of what the other kinds do: 200 clients are told of each event
AT_ONCE: Final = 4  # calls that are answered before the next fault: the crowd makes them slow
PAUSE_S: Final = 4.0
ARRIVE_WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How many clients watch, and in which ways they are harmed, each at least once."""

    clients: int = WATCHERS
    ways: Sequence[str] = tuple(WAYS)


WHOLE: Final = Extent()


def run(fault: str, seed: int, jobs: int, folder: Path, extent: Extent = WHOLE) -> Verdict:
    """Torture an installation whose data and logs are in the folder."""
    began = time.monotonic()
    random = Random(f"{fault}-{seed}")  # noqa: S311 - no secret
    faults = asyncio.run(_torture(random, round(jobs * JOBS_SHARE), folder, extent))
    found, diaries, known = judge.read(folder)
    ran = Ran(fault=fault, seed=seed, faults=faults, took_s=time.monotonic() - began)
    violations = judge.all_violations(found, diaries, known)
    return verdict(ran, found, violations, judge.besides(diaries))


async def _torture(random: Random, jobs: int, folder: Path, extent: Extent) -> int:
    installation = LiveInstallation(folder=folder, replica_set=ReplicaSet(folder=folder))
    async with installed(installation):
        async with installation.tended():
            installation.start_clients(extent.clients, random.randrange(2**32))
            start_client(installation, random.randrange(2**32), AT_ONCE)
            installation.start_others(random.randrange(2**32))
            counted = Acknowledged(folder / history.OPERATIONS)
            await begun(counted)
            faults = await _harm(Nemesis(installation, random), extent.ways, counted, jobs)
            deadline = time.monotonic() + PROMISED_S
            await installation.stop(CLIENT, OTHERS, within_s=CLIENT_ENDS_WITHIN_S)
            has_settled = await settles(installation, deadline)
            await installation.stop(CLIENTS, within_s=ARRIVE_WITHIN_S)
        await take_down(installation, has_settled)
    return faults


async def _harm(nemesis: Nemesis, wanted: Sequence[str], counted: Acknowledged, jobs: int) -> int:
    """Harm it in every wanted way, again and again, until there were enough jobs; return how often.

    It is left alone for as long as it was harmed: a slow machine must do its jobs.
    """
    made, harmed_s = 0, 0.0
    ways = list(wanted)
    async with asyncio.timeout(LOAD_WITHIN_S):
        while made < len(ways) or counted.count() < jobs:
            if made % len(ways) == 0:
                nemesis.random.shuffle(ways)
            way = ways[made % len(ways)]
            await nemesis.target.is_whole()
            await asyncio.sleep(max(nemesis.random.uniform(0.5, 1.5) * PAUSE_S, harmed_s))
            nemesis.target.marks.note("began", fault=way)
            began = time.monotonic()
            await WAYS[way](nemesis)
            nemesis.target.marks.note("ended", fault=way)
            harmed_s = time.monotonic() - began
            made += 1
    return made
