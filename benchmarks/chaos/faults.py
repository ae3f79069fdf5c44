"""The faults: how each harms an installation, how often in a run, and how it is made good."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.chaos import malformed, refused
from benchmarks.chaos.installation import DATABASE, WORKERS, Installation
from ostinato.jobs.settings import Settings

LEASES_STOPPED: Final = 3
FLUSHES: Final = 10
BETWEEN_FLUSHES_S: Final = 0.2
OF_EACH: Final = 6  # damaged documents of each collection
LONGEST_REFUSAL_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Nemesis:
    """What harms one installation; `random` decides whom and how long."""

    target: Installation
    random: Random

    async def worker(self) -> None:
        """Kill -9 a worker and start another in its place."""
        await self._replace(self.random.choice(WORKERS))

    async def leader(self) -> None:
        """Kill -9 the worker that dispatches and sweeps."""
        found = await asyncio.to_thread(self.target.leader)
        await self._replace(found or self.random.choice(WORKERS))

    async def freeze(self) -> None:
        """Stop the leader, or another worker, for three leases; then let it go on."""
        leader = await asyncio.to_thread(self.target.leader)
        name = self.random.choice([leader or WORKERS[0], *WORKERS])
        child = self.target.children.get(name)
        if child is None:  # the other fault of a mix has just killed it
            return
        child.popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(LEASES_STOPPED * Settings().lease_ms / 1000)
        child.popen.send_signal(signal.SIGCONT)  # nothing happens if it was killed meanwhile

    async def flush(self) -> None:
        """Empty Valkey again and again."""
        for _ in range(FLUSHES):
            await asyncio.to_thread(self._flush_once)
            await asyncio.sleep(self.random.uniform(0, 2 * BETWEEN_FLUSHES_S))

    async def valkey(self) -> None:
        """Kill -9 Valkey; it comes back with what it had saved."""
        await self.target.kill("valkey")
        await asyncio.sleep(self.random.uniform(0, 2))
        await self.target.start_valkey()

    async def mongod(self) -> None:
        """Kill -9 mongod; it comes back with what it had acknowledged."""
        await self.target.kill("mongod")
        await asyncio.sleep(self.random.uniform(0, 3))
        await self.target.start_mongod()

    async def api(self) -> None:
        """Kill -9 the API."""
        await self.target.kill("api")
        await self.target.start_api()

    async def malformed(self) -> None:
        """Write damaged documents past the API; remove half of them again."""
        documents = malformed.some(self.random, OF_EACH)
        ids = [one.document["_id"] for one in documents]
        self.target.marks.note("malformed", ids=ids)  # first: what is not there does no harm
        await asyncio.to_thread(self._past_the_api, malformed.insert, documents)
        await asyncio.sleep(self.random.uniform(0.5, 2))
        gone = self.random.sample(documents, len(documents) // 2)
        await asyncio.to_thread(self._past_the_api, malformed.remove, gone)

    async def refused(self) -> None:
        """Let MongoDB refuse completions for a while."""
        refusal = refused.some(self.random)
        self.target.marks.note("refused", how=refusal.name)
        child = self.target.children.get(self.random.choice(WORKERS))
        pid = child.popen.pid if child else 0
        await asyncio.to_thread(self._past_the_api, refused.begin, refusal, pid)
        await asyncio.sleep(self.random.uniform(1, LONGEST_REFUSAL_S))
        await asyncio.to_thread(self._past_the_api, refused.end)

    async def mix(self) -> None:
        """Do two of the others at once."""
        ways = [getattr(self, name) for name in FAULTS if name != "mix"]
        one, other = self.random.sample(ways, 2)
        await asyncio.gather(one(), other())

    async def _replace(self, name: str) -> None:
        await self.target.kill(name)
        self.target.start(name)

    def _past_the_api(self, change: Callable[..., None], *what: object) -> None:
        try:
            with self.target.mongo() as mongo:
                change(mongo[DATABASE], *what)
        except PyMongoError:
            return  # it is down: the other fault of a mix has killed it

    def _flush_once(self) -> None:
        try:
            with Redis.from_url(self.target.redis_url) as redis:
                redis.flushall()
        except RedisError:
            return  # it is down: nothing is left in it either


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    harm: Callable[[Nemesis], Awaitable[None]]
    times: int
    """How often in a run, at least."""
    pause_s: float
    """About how long things are left alone in between."""
    stops_work: bool = False
    """Whether nothing can be done until it is made good."""


FAULTS: Final = {
    "worker": Fault(harm=Nemesis.worker, times=4, pause_s=3.0),
    "leader": Fault(harm=Nemesis.leader, times=4, pause_s=4.0),
    "freeze": Fault(harm=Nemesis.freeze, times=1, pause_s=1.0),
    "flush": Fault(harm=Nemesis.flush, times=4, pause_s=1.0),
    "valkey": Fault(harm=Nemesis.valkey, times=4, pause_s=2.0),
    "mongod": Fault(harm=Nemesis.mongod, times=3, pause_s=3.0, stops_work=True),
    "api": Fault(harm=Nemesis.api, times=3, pause_s=2.0, stops_work=True),
    "malformed": Fault(harm=Nemesis.malformed, times=4, pause_s=2.0),
    "refused": Fault(harm=Nemesis.refused, times=5, pause_s=2.0),
    "mix": Fault(harm=Nemesis.mix, times=5, pause_s=2.0),
}
