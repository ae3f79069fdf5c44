"""Owns the processes of a run against the live layer: three mongods, two APIs, clients, loads."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from pydantic import SecretStr

from benchmarks.chaos.installation import (
    OURS,
    SECRET,
    USERS,
    Installation,
    serves,
)
from benchmarks.chaos.live import others, watch
from benchmarks.chaos.live.replica_set import MEMBERS, ReplicaSet
from ostinato.jobs.embedded.process import Child, free_port
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import ADMIN, issue_token

APIS: Final = ("api", "api-1")
CLIENTS: Final = "clients"
OTHERS: Final = "others"
OPERATOR: Final = "root"
IMPATIENT: Final = {
    "OSTINATO_SUBSCRIPTION_BUFFER": "100",
    "OSTINATO_SEND_TIMEOUT_MS": "2000",
    "OSTINATO_CHECKPOINT_MS": "2000",
}
"""Settings under which a slow reader is sent away within a run."""
FORGETFUL: Final = {"OSTINATO_RING_EVENTS": "200"}
"""Of the second API: who resumes there gets what it missed from MongoDB."""


@dataclass(slots=True, kw_only=True)
class LiveInstallation(Installation):
    replica_set: ReplicaSet
    other_port: int = field(default_factory=free_port)

    @property
    def ours(self) -> tuple[str, ...]:
        return (*OURS, APIS[1])

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
        """Sign a token for each user, and last for an admin."""
        tokens = dict(zip(USERS, self.tokens(), strict=True))
        settings = Settings(jwt_secret=SecretStr(SECRET))
        return {**tokens, OPERATOR: issue_token(settings, OPERATOR, (ADMIN,))}

    async def start_mongod(self) -> None:
        """Start all members."""
        for number in range(MEMBERS):
            self.start_member(number)
        await self.replica_set.make()
        self.has_primary_again()

    def start_member(self, number: int) -> None:
        child = self.replica_set.start(number)
        self.children[child.name] = child

    def has_primary_again(self) -> None:
        """Note that what is started from now on has no reason to give up."""
        self._mongod_since = time.monotonic()

    async def start_api(self) -> None:
        """Start both and wait until they can serve."""
        for name in APIS:
            self.start(name)
        for url in self.urls:
            await serves(url)

    def start_clients(self, clients: int, seed: int) -> None:
        orders = watch.Orders(
            ports=self.ports,
            tokens=self.tokens_of_clients(),
            clients=clients,
            seed=seed,
            folder=str(self.folder),
            mongo_url=self.mongo_url,
            secret=SECRET,
        )
        self._start_program(CLIENTS, "benchmarks.chaos.live.watch", asdict(orders))

    def start_others(self, seed: int) -> None:
        orders = others.Orders(ports=self.ports, tokens=self.tokens(), seed=seed)
        self._start_program(OTHERS, "benchmarks.chaos.live.others", asdict(orders))

    def _start_program(self, name: str, module: str, orders: Mapping[str, object]) -> None:
        self.start(name, "-m", module, json.dumps(orders))

    def env(self, name: str) -> Mapping[str, str]:
        env = {**Installation.env(self, name), **IMPATIENT}
        if name == APIS[1]:
            env |= {"OSTINATO_PORT": str(self.other_port), **FORGETFUL}
        return env

    def _may_have_ended(self, name: str, child: Child) -> bool:
        """What starts while there is no primary may give up; a supervisor tries again."""
        return name in self.ours and self._begun[name] < self._mongod_since
