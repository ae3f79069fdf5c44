"""The process of the clients: watches until SIGTERM, is rude meanwhile, then comes to the end.

Reads what to do as JSON from its first argument. A client has come to the end when each of its
subscriptions was told everything that had happened before the SIGTERM.
"""

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import uvloop
from pydantic import SecretStr
from pymongo import MongoClient

from benchmarks.chaos.calls import document_id
from benchmarks.chaos.live.client import Client, Person, Place
from benchmarks.chaos.live.log import FOLDER, Log, What, path_of
from benchmarks.chaos.live.wants import BATCH, JOB, REQUEST, TOPICS, some_list
from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.cursors import CursorCodec

ADMIN_EVERY: Final = 40
LOOKS_UP_EVERY: Final = 6
"""Each sixth client watches single objects."""
MOST_LOOKED_UP: Final = 6
JOINS_WITHIN_S: Final = 20.0
RUDE_EVERY_S: Final = 40.0
LOOKS_EVERY_S: Final = 3.0
LONGEST_DOZE_S: Final = 8.0
RUDELY: Final = 0.7
SLOW: Final = 0.2
STEADY: Final = 0.3  # these lose only what is taken from them
POLL_S: Final = 0.1
ARRIVES_WITHIN_S: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the process is told."""

    ports: list[int]
    tokens: dict[str, str]
    """Of each user; the last one is an admin's."""
    clients: int
    seed: int
    folder: str
    mongo_url: str
    secret: str


class Crowd:
    """All clients, and what they are put through."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._random = Random(orders.seed)  # noqa: S311 - no secret
        self._logs: list[Log] = []
        self.clients = [self._client(number) for number in range(orders.clients)]
        self.is_calm = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._join(client)) for client in self.clients]
            rude = [tasks.create_task(self._be_rude(client)) for client in self.clients]
            await self.is_calm.wait()
            await asyncio.gather(*rude)
            await self._arrive(await asyncio.to_thread(_present, self._orders.mongo_url))
            for client in self.clients:
                client.leave()
            await asyncio.gather(*running)
        for log in self._logs:
            log.close()

    def _client(self, number: int) -> Client:
        random = Random(f"{self._orders.seed}-{number}")  # noqa: S311 - no secret
        users = list(self._orders.tokens)
        is_admin = number % ADMIN_EVERY == 0
        user = users[-1] if is_admin else users[number % (len(users) - 1)]
        looks_up = (
            random.choice([JOB, JOB, REQUEST, BATCH]) if number % LOOKS_UP_EVERY == 1 else None
        )
        person = Person(
            owner=None if is_admin else user,
            token=self._orders.tokens[user],
            is_slow=random.random() < SLOW,
            looks_up=looks_up,
        )
        self._logs.append(Log(path_of(Path(self._orders.folder), number)))
        client = Client(person, self._orders.ports, random, self._logs[-1])
        if looks_up is None:
            client.watch(some_list(random, person.owner))
        return client

    async def _join(self, client: Client) -> None:
        """Half of them are there from the beginning, half come while much happens."""
        if self._random.random() < 0.5:
            await self._pause(self._random.uniform(0, JOINS_WITHIN_S))
        await client.run()

    async def _be_rude(self, client: Client) -> None:
        is_steady = self._random.random() < STEADY
        while not self.is_calm.is_set():
            if client.person.looks_up is not None:
                await self._pause(self._random.expovariate(1 / LOOKS_EVERY_S))
                if len(client.places) < MOST_LOOKED_UP:
                    await client.look_up()
            else:
                await self._pause(self._random.expovariate(1 / RUDE_EVERY_S))
            if client.person.is_slow and self._random.random() < 0.5:
                await client.doze(self._random.uniform(0, LONGEST_DOZE_S))
            elif not is_steady:
                client.go_away(rudely=self._random.random() < RUDELY)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when all is to be calm."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.is_calm.wait()

    async def _arrive(self, present: ClusterTime) -> None:
        """Wait until everybody was told what had happened by then."""
        cursors = CursorCodec(Settings(jwt_secret=SecretStr(self._orders.secret)))
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        waiting = [
            (log, number, place)
            for log, client in zip(self._logs, self.clients, strict=True)
            for number, place in enumerate(client.places)
        ]
        while waiting and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            for log, number, place in list(waiting):
                if _time_of(place, cursors) >= present:
                    log.write(What.ARRIVED, sub=number)
                    waiting.remove((log, number, place))


def _time_of(place: Place, cursors: CursorCodec) -> ClusterTime:
    """Say up to when everything was told."""
    if place.cursor is None:
        return 0, 0
    want = place.want
    topic = TOPICS[want.root]
    if want.id is not None:
        topic = f"{topic}:{document_id(want.id)}"
    cursor = cursors.decode(place.cursor, topic)
    if cursor.in_snapshot:
        return 0, 0
    return int(cursor.position[2:10], 16), int(cursor.position[10:18], 16)


def _present(mongo_url: str) -> ClusterTime:
    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        time_ = mongo.admin.command("hello")["operationTime"]
    return time_.time, time_.inc


async def main(orders: Orders) -> None:
    crowd = Crowd(orders)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, crowd.is_calm.set)
    await crowd.run()


if __name__ == "__main__":
    told = Orders(**json.loads(sys.argv[1]))
    (Path(told.folder) / FOLDER).mkdir(exist_ok=True)
    uvloop.run(main(told))
