"""The faults: how each is injected and repaired, and how often in a run."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.chaos import malformed, rejections
from benchmarks.chaos.installation import DATABASE, WORKERS, Installation
from ostinato.jobs.settings import Settings

SUSPENDED_LEASES: Final = 3
FLUSHES_PER_FAULT: Final = 10
FLUSH_PAUSE_S: Final = 0.2
DOCUMENTS_PER_COLLECTION: Final = 6  # malformed documents
MAX_REJECTION_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Nemesis:
    """Injects faults into one installation; `random` chooses the process and the duration."""

    target: Installation
    random: Random

    async def worker(self) -> None:
        """Kill a worker with SIGKILL, and start another one."""
        await self._replace(self.random.choice(WORKERS))

    async def leader(self) -> None:
        """Kill the worker that is the leader."""
        found = await asyncio.to_thread(self.target.leader)
        await self._replace(found or self.random.choice(WORKERS))

    async def freeze(self) -> None:
        """Suspend the leader, or another worker, for three leases."""
        leader = await asyncio.to_thread(self.target.leader)
        name = self.random.choice([leader or WORKERS[0], *WORKERS])
        child = self.target.children.get(name)
        if child is None:  # the other fault of a mix has killed it
            return
        child.popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(SUSPENDED_LEASES * Settings().lease_ms / 1000)
        child.popen.send_signal(signal.SIGCONT)  # no effect if it was killed meanwhile

    async def flush(self) -> None:
        """Empty Valkey repeatedly."""
        for _ in range(FLUSHES_PER_FAULT):
            await asyncio.to_thread(self._flush_once)
            await asyncio.sleep(self.random.uniform(0, 2 * FLUSH_PAUSE_S))

    async def valkey(self) -> None:
        """Kill Valkey, and restart it with its last snapshot."""
        await self.target.kill("valkey")
        await asyncio.sleep(self.random.uniform(0, 2))
        await self.target.start_valkey()

    async def mongod(self) -> None:
        """Kill mongod, and restart it."""
        await self.target.kill("mongod")
        await asyncio.sleep(self.random.uniform(0, 3))
        await self.target.start_mongod()

    async def api(self) -> None:
        """Kill the API."""
        await self.target.kill("api")
        await self.target.start_api()

    async def malformed(self) -> None:
        """Write malformed documents directly to MongoDB, and remove half of them later."""
        documents = malformed.generate(self.random, DOCUMENTS_PER_COLLECTION)
        ids = [written.document["_id"] for written in documents]
        # Logged first: an id without a document has no effect.
        self.target.fault_log.write("malformed", ids=ids)
        await asyncio.to_thread(self._write_directly, malformed.insert, documents)
        await asyncio.sleep(self.random.uniform(0.5, 2))
        removed = self.random.sample(documents, len(documents) // 2)
        await asyncio.to_thread(self._write_directly, malformed.remove, removed)

    async def refused(self) -> None:
        """Make MongoDB reject outcomes for a few seconds."""
        rejection = rejections.choose(self.random)
        self.target.fault_log.write("refused", rejection=rejection.name)
        child = self.target.children.get(self.random.choice(WORKERS))
        pid = child.popen.pid if child else 0
        await asyncio.to_thread(self._write_directly, rejections.start, rejection, pid)
        await asyncio.sleep(self.random.uniform(1, MAX_REJECTION_S))
        await asyncio.to_thread(self._write_directly, rejections.end)

    async def mix(self) -> None:
        """Inject two other faults concurrently."""
        faults = [getattr(self, name) for name in FAULTS if name != "mix"]
        first, second = self.random.sample(faults, 2)
        await asyncio.gather(first(), second())

    async def _replace(self, name: str) -> None:
        await self.target.kill(name)
        self.target.start(name)

    def _write_directly(self, change: Callable[..., None], *args: object) -> None:
        try:
            with self.target.mongo() as mongo:
                change(mongo[DATABASE], *args)
        except PyMongoError:
            return  # MongoDB is down: the other fault of a mix has killed it

    def _flush_once(self) -> None:
        try:
            with Redis.from_url(self.target.redis_url) as redis:
                redis.flushall()
        except RedisError:
            return  # Valkey is down: the other fault of a mix has killed it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    inject: Callable[[Nemesis], Awaitable[None]]
    times: int
    """Minimum number of injections in a run."""
    pause_s: float
    """Average time between two injections."""
    stops_work: bool = False
    """Whether no job can run until the fault is repaired."""


FAULTS: Final = {
    "worker": Fault(inject=Nemesis.worker, times=4, pause_s=3.0),
    "leader": Fault(inject=Nemesis.leader, times=4, pause_s=4.0),
    "freeze": Fault(inject=Nemesis.freeze, times=1, pause_s=1.0),
    "flush": Fault(inject=Nemesis.flush, times=4, pause_s=1.0),
    "valkey": Fault(inject=Nemesis.valkey, times=4, pause_s=2.0),
    "mongod": Fault(inject=Nemesis.mongod, times=3, pause_s=3.0, stops_work=True),
    "api": Fault(inject=Nemesis.api, times=3, pause_s=2.0, stops_work=True),
    "malformed": Fault(inject=Nemesis.malformed, times=4, pause_s=2.0),
    "refused": Fault(inject=Nemesis.refused, times=5, pause_s=2.0),
    "mix": Fault(inject=Nemesis.mix, times=5, pause_s=2.0),
}
