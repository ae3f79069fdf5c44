"""The processes of a live run: three mongods, two API processes, workers, clients and loads."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from pydantic import SecretStr

from benchmarks.chaos.installation import (
    SECRET,
    SUPERVISED,
    USERS,
    Installation,
    wait_until_ready,
)
from benchmarks.chaos.live import background_load, client_pool
from benchmarks.chaos.live.patterns import ANSWERS
from benchmarks.chaos.live.replica_set import MEMBERS, ReplicaSet
from ostinato.jobs.embedded.process import Child, free_port
from ostinato.jobs.rights import ADMIN
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token

APIS: Final = ("api", "api-1")
CLIENTS: Final = "clients"
BACKGROUND_LOAD: Final = "background-load"
OPERATOR: Final = "root"
SHORT_TIMEOUTS: Final = {
    "OSTINATO_SUBSCRIPTION_BUFFER": "100",
    "OSTINATO_SEND_TIMEOUT_MS": "2000",
    "OSTINATO_CHECKPOINT_MS": "2000",
}
"""Settings that disconnect slow readers within a run."""
SMALL_RING: Final = {"OSTINATO_RING_EVENTS": "200"}
"""The second API process keeps few events: clients that resume there catch up from MongoDB."""


@dataclass(slots=True, kw_only=True)
class LiveInstallation(Installation):
    replica_set: ReplicaSet
    other_port: int = field(default_factory=free_port)

    @property
    def supervised(self) -> tuple[str, ...]:
        return (*SUPERVISED, APIS[1])

    @property
    def mongo_url(self) -> str:
        return self.replica_set.url

    @property
    def ports(self) -> list[int]:
        return [self.api_port, self.other_port]

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def tokens_of_clients(self) -> dict[str, str]:
        """Sign a token for each user, and one for an admin at the end."""
        tokens = dict(zip(USERS, self.tokens(), strict=True))
        settings = Settings(jwt_secret=SecretStr(SECRET))
        return {**tokens, OPERATOR: issue_token(settings, OPERATOR, (ADMIN,))}

    async def start_mongod(self) -> None:
        """Start all members."""
        for number in range(MEMBERS):
            self.start_member(number)
        await self.replica_set.initiate()
        self.note_primary()

    def start_member(self, number: int) -> None:
        child = self.replica_set.start(number)
        self.children[child.name] = child

    def note_primary(self) -> None:
        """Record that processes started from now on have a primary."""
        self._mongod_started_at = time.monotonic()

    async def start_api(self) -> None:
        """Start both API processes, and wait until they are ready."""
        for name in APIS:
            self.start(name)
        for url in self.urls:
            await wait_until_ready(url)

    def start_clients(self, clients: int, seed: int) -> None:
        config = client_pool.Config(
            ports=self.ports,
            tokens=self.tokens_of_clients(),
            clients=clients,
            seed=seed,
            folder=str(self.folder),
            mongo_url=self.mongo_url,
            secret=SECRET,
        )
        self._start_program(CLIENTS, "benchmarks.chaos.live.client_pool", asdict(config))

    def start_background_load(self, seed: int) -> None:
        config = background_load.Config(
            ports=self.ports,
            tokens=self.tokens(),
            seed=seed,
            answers=str(self.folder / ANSWERS),
        )
        self._start_program(
            BACKGROUND_LOAD, "benchmarks.chaos.live.background_load", asdict(config)
        )

    def _start_program(self, name: str, module: str, config: Mapping[str, object]) -> None:
        self.start(name, "-m", module, json.dumps(config))

    def env(self, name: str) -> Mapping[str, str]:
        env = {**Installation.env(self, name), **SHORT_TIMEOUTS}
        if name == APIS[1]:
            env |= {"OSTINATO_PORT": str(self.other_port), **SMALL_RING}
        return env

    def _may_have_exited(self, name: str, child: Child) -> bool:
        """Return whether there was no primary when the process started."""
        return name in self.supervised and self._started_at[name] < self._mongod_started_at
