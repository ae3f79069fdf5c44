"""The process of the clients, which are subscribed and disconnect at random until SIGTERM.

Its first argument is its configuration as JSON. After SIGTERM it waits until each subscription
has received all changes from before the signal.
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
from benchmarks.chaos.live.client import Client, ClientProfile, Subscription
from benchmarks.chaos.live.log import FOLDER, Log, LogEvent, path_of
from benchmarks.chaos.live.subscriptions import BATCH, JOB, REQUEST, TOPICS, random_list
from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.cursors import CursorCodec

ADMIN_EVERY: Final = 40
LOOKUP_CLIENT_EVERY: Final = 6
"""Every sixth client watches single objects."""
MAX_LOOKED_UP: Final = 6
JOIN_WITHIN_S: Final = 20.0
DISTURB_EVERY_S: Final = 40.0
LOOKUP_EVERY_S: Final = 3.0
MAX_PAUSE_S: Final = 8.0
ABRUPT_SHARE: Final = 0.7
SLOW_SHARE: Final = 0.2
STABLE_SHARE: Final = 0.3  # these do not disconnect by themselves
POLL_S: Final = 0.1
CATCH_UP_WITHIN_S: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of the process."""

    ports: list[int]
    tokens: dict[str, str]
    """By user; the last one is an admin."""
    clients: int
    seed: int
    folder: str
    mongo_url: str
    secret: str


class ClientPool:
    """All clients, and their random behavior."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._random = Random(config.seed)  # noqa: S311 - no secret
        self._logs: list[Log] = []
        self.clients = [self._client(number) for number in range(config.clients)]
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._join(client)) for client in self.clients]
            disturbing = [tasks.create_task(self._disturb(client)) for client in self.clients]
            await self.stopping.wait()
            await asyncio.gather(*disturbing)
            await self._catch_up(await asyncio.to_thread(_operation_time, self._config.mongo_url))
            for client in self.clients:
                client.stop()
            await asyncio.gather(*running)
        for log in self._logs:
            log.close()

    def _client(self, number: int) -> Client:
        random = Random(f"{self._config.seed}-{number}")  # noqa: S311 - no secret
        users = list(self._config.tokens)
        is_admin = number % ADMIN_EVERY == 0
        user = users[-1] if is_admin else users[number % (len(users) - 1)]
        lookup_root = (
            random.choice([JOB, JOB, REQUEST, BATCH]) if number % LOOKUP_CLIENT_EVERY == 1 else None
        )
        profile = ClientProfile(
            owner=None if is_admin else user,
            token=self._config.tokens[user],
            is_slow=random.random() < SLOW_SHARE,
            lookup_root=lookup_root,
        )
        self._logs.append(Log(path_of(Path(self._config.folder), number)))
        client = Client(profile, self._config.ports, random, self._logs[-1])
        if lookup_root is None:
            client.watch(random_list(random, profile.owner))
        return client

    async def _join(self, client: Client) -> None:
        """Half of the clients connect at the beginning, half of them later, under load."""
        if self._random.random() < 0.5:
            await self._pause(self._random.uniform(0, JOIN_WITHIN_S))
        await client.run()

    async def _disturb(self, client: Client) -> None:
        is_stable = self._random.random() < STABLE_SHARE
        while not self.stopping.is_set():
            if client.profile.lookup_root is not None:
                await self._pause(self._random.expovariate(1 / LOOKUP_EVERY_S))
                if len(client.subscriptions) < MAX_LOOKED_UP:
                    await client.look_up()
            else:
                await self._pause(self._random.expovariate(1 / DISTURB_EVERY_S))
            if client.profile.is_slow and self._random.random() < 0.5:
                await client.pause_reading(self._random.uniform(0, MAX_PAUSE_S))
            elif not is_stable:
                client.disconnect(abruptly=self._random.random() < ABRUPT_SHARE)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not longer than until the end of the run."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def _catch_up(self, until: ClusterTime) -> None:
        """Wait until every subscription has received the changes up to this time."""
        cursors = CursorCodec(Settings(jwt_secret=SecretStr(self._config.secret)))
        deadline = time.monotonic() + CATCH_UP_WITHIN_S
        waiting = [
            (log, number, subscription)
            for log, client in zip(self._logs, self.clients, strict=True)
            for number, subscription in enumerate(client.subscriptions)
        ]
        while waiting and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            for log, number, subscription in list(waiting):
                if _caught_up_to(subscription, cursors) >= until:
                    log.write(LogEvent.CAUGHT_UP, sub=number)
                    waiting.remove((log, number, subscription))


def _caught_up_to(subscription: Subscription, cursors: CursorCodec) -> ClusterTime:
    """Return the time up to which the subscription has received all changes."""
    if subscription.cursor is None:
        return 0, 0
    spec = subscription.spec
    topic = TOPICS[spec.root]
    if spec.id is not None:
        topic = f"{topic}:{document_id(spec.id)}"
    cursor = cursors.decode(subscription.cursor, topic)
    if cursor.in_snapshot:
        return 0, 0
    return int(cursor.position[2:10], 16), int(cursor.position[10:18], 16)


def _operation_time(mongo_url: str) -> ClusterTime:
    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        time_ = mongo.admin.command("hello")["operationTime"]
    return time_.time, time_.inc


async def main(config: Config) -> None:
    pool = ClientPool(config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, pool.stopping.set)
    await pool.run()


if __name__ == "__main__":
    config = Config(**json.loads(sys.argv[1]))
    (Path(config.folder) / FOLDER).mkdir(exist_ok=True)
    uvloop.run(main(config))
