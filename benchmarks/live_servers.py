"""The servers of the live benchmark: how each is started and made to publish events."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from types import MappingProxyType
from typing import Any, Final

import httpx
from pydantic import SecretStr

from benchmarks.processes import Program, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import DATABASE, NODE, NODE_PEERS, SECRET, our_env
from ostinato.cli import COMMAND
from ostinato.jobs.embedded.process import Child, free_port
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.transitions import first_event
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token

OURS: Final = "Ostinato"
OURS_PLAIN: Final = "Ostinato, no frames below ASGI"
RAW: Final = "Starlette, raw broadcast of encoded text"
STRAWBERRY: Final = "Strawberry's own handler"
NODE_WS: Final = "graphql-ws on Node"
YOGA: Final = "graphql-yoga on Node"

OUR_COMMAND: Final = (*COMMAND, "api")
PROTOCOL: Final = "graphql-transport-ws"
FIELDS: Final = "cursor kind jobId event { seq state at }"
READY_S: Final = 30.0
PUBLISH_S: Final = 300.0
MAX_SOCKETS: Final = "1000000"

Publish = Callable[[int, float, int], list[float]]
"""Publishes events with an interval in seconds over topics; returns the time of each event."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    child: Child
    port: int
    path: str
    messages: tuple[str, ...]
    """The first messages of a socket."""
    setup_frames: int
    """The number of frames that a socket receives before the first event."""
    publish: Publish

    @property
    def protocol(self) -> str | None:
        return PROTOCOL if self.messages else None


Serve = Callable[[Servers], AbstractContextManager[Target]]


def systems() -> dict[str, Serve]:
    python = sys.executable
    return {
        OURS: partial(ours, command=OUR_COMMAND),
        OURS_PLAIN: partial(ours, command=(python, "-m", "benchmarks.peers.live_plain")),
        RAW: partial(_peer, command=(python, "-m", "benchmarks.peers.live_starlette")),
        STRAWBERRY: partial(
            _peer, command=(python, "-m", "benchmarks.peers.live_strawberry"), graphql=True
        ),
        NODE_WS: partial(_peer, command=(NODE, str(NODE_PEERS / "graphql_ws.mjs")), graphql=True),
        YOGA: partial(_peer, command=(NODE, str(NODE_PEERS / "yoga_live.mjs")), graphql=True),
    }


@contextmanager
def ours(
    servers: Servers, command: tuple[str, ...], env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Target]:
    """Serve Ostinato's API with these settings."""
    port, token = free_port(), issue_token(Settings(jwt_secret=SecretStr(SECRET)), "bench")
    settings = {
        **our_env(servers),
        "OSTINATO_PORT": str(port),
        "OSTINATO_MAX_SOCKETS_PER_USER": MAX_SOCKETS,
        "OSTINATO_MAX_SOCKETS_PER_ADDRESS": MAX_SOCKETS,
        "OSTINATO_MAX_IDLE_CONNECTIONS_PER_ADDRESS": MAX_SOCKETS,
        "OSTINATO_QUOTA_SUBSCRIPTIONS": "0",
        "OSTINATO_KEEP_ALIVE_MS": "3600000",
        "OSTINATO_CHECKPOINT_MS": "3600000",
        **env,
    }
    query = (
        f"subscription($f: String) {{ jobsChanged(filter: {{functionName: $f}}) {{ {FIELDS} }} }}"
    )
    messages = (
        _message("connection_init", Authorization=f"Bearer {token}"),
        _message("subscribe", query=query, variables={"f": "bench.fTOPIC"}),
    )
    with Program(command, settings).running(servers.folder / "live.log") as child:
        wait_until(lambda: _is_ready(port), READY_S, [child])
        yield Target(child, port, "/graphql", messages, 2, partial(_insert, servers))


@contextmanager
def _peer(servers: Servers, command: tuple[str, ...], *, graphql: bool = False) -> Iterator[Target]:
    port = free_port()
    query = f"subscription($topic: Int!) {{ jobsChanged(topic: $topic) {{ {FIELDS} }} }}"
    subscribe = _message("subscribe", query=query, variables={"topic": "NUMBER"})
    messages = (_message("connection_init"), subscribe.replace('"NUMBER"', "TOPIC"))
    with Program(command, {"BENCH_PORT": str(port)}).running(servers.folder / "live.log") as child:
        wait_until(lambda: _listens(port), READY_S, [child])
        if graphql:
            yield Target(child, port, "/graphql", messages, 2, partial(_publish, port))
        else:
            yield Target(child, port, "/TOPIC", (), 1, partial(_publish, port))


def _message(kind: str, **payload: object) -> str:
    operation = {"id": "SOME-ID"} if kind == "subscribe" else {}
    return json.dumps({**operation, "type": kind, "payload": payload})


def _publish(port: int, events: int, interval_s: float, topics: int) -> list[float]:
    request = {"events": events, "interval_s": interval_s, "topics": topics}
    url = f"http://127.0.0.1:{port}/publish"
    answer = httpx.post(url, json=request, timeout=PUBLISH_S, trust_env=False)
    times: list[float] = answer.json()
    return times


def _insert(servers: Servers, events: int, interval_s: float, topics: int) -> list[float]:
    """Write jobs as the engine does: in one batch, or one by one."""
    jobs = servers.mongo[DATABASE]["jobs"]
    documents = [job(number % topics) for number in range(events)]
    start = time.monotonic()
    if not interval_s:
        jobs.insert_many(documents)
        return [start] * events
    times = []
    for number, document in enumerate(documents):
        time.sleep(max(0.0, start + number * interval_s - time.monotonic()))
        times.append(time.monotonic())
        jobs.insert_one(document)
    return times


def job(topic: int) -> dict[str, Any]:
    """Return a job as the engine writes it, of the topic's function."""
    now = datetime.now(UTC)
    document: dict[str, Any] = {
        "_id": new_id(),
        "functionName": f"bench.f{topic}",
        "args": {},
        "owner": "bench",
        "internal": False,
        "state": "pending",
        "scheduledTime": now + timedelta(days=7),
        "queue": "default",
        "priority": 0,
        "attempt": 0,
        "maxAttempts": 1,
        "cause": {"kind": "api"},
        "version": 1,
        "createdAt": now,
    }
    return document | {"timeline": [first_event(document)]}


def _is_ready(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    return False


def _listens(port: int) -> bool:
    with suppress(OSError):
        HTTPConnection("127.0.0.1", port).connect()
        return True
    return False
