"""A client whose subscriptions resume after their newest cursor when it reconnects.

It resumes like the package `ostinato-client`, and logs every message before it handles it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from typing import Any, Final

import orjson

from benchmarks.chaos.live.log import Log, LogEvent
from benchmarks.chaos.live.subscriptions import JOB, PAGES, SubscriptionSpec
from benchmarks.chaos.live.websocket import Socket, connect

RESPONSE_TIMEOUT_S: Final = 20.0  # for the acknowledgement, and for a response
RECONNECT_DELAY_S: Final = (0.3, 3.0)  # as graphql-ws does
PAGE_ROWS: Final = 10
LOOKUP_PREFIX: Final = "page"
"""The prefix of the ids of lookup queries; the ids of subscriptions are numbers."""


@dataclass(slots=True, eq=False)
class Subscription:
    """The state of one subscription."""

    spec: SubscriptionSpec
    cursor: str | None = None
    """The cursor of the newest message; None before the first, and when a snapshot is needed."""
    has_failed: bool = False
    """Whether it failed permanently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProfile:
    """The identity and the behavior of a client."""

    owner: str | None
    token: str
    is_slow: bool
    """Whether it stops reading from time to time."""
    lookup_root: str | None
    """The root field with which it watches single objects; None if it watches a list."""


class Client:
    def __init__(
        self, profile: ClientProfile, ports: Sequence[int], random: Random, log: Log
    ) -> None:
        self.profile = profile
        self.subscriptions: list[Subscription] = []
        self._is_stopped = False
        self._ports = ports
        self._random = random
        self._log = log
        self._socket: Socket | None = None
        self._api = 0
        self._is_connected = False
        self._closed = asyncio.Event()
        self._page: asyncio.Future[Any] | None = None
        self._pages = count()

    async def run(self) -> None:
        """Reconnect until the client is stopped."""
        while not self._is_stopped:
            self._closed.clear()
            self._api = self._random.randrange(len(self._ports))
            with suppress(OSError):
                port = self._ports[self._api]
                self._socket = await connect(port, self, small_buffer=self.profile.is_slow)
                await self._until_closed()
            await asyncio.sleep(self._random.uniform(*RECONNECT_DELAY_S))

    def watch(self, spec: SubscriptionSpec) -> None:
        """Add a subscription, and start it if the client is connected."""
        self._log.write(LogEvent.ADDED, sub=len(self.subscriptions), spec=asdict(spec))
        self.subscriptions.append(Subscription(spec))
        if self._is_connected:
            self._subscribe(len(self.subscriptions) - 1)

    async def look_up(self) -> None:
        """Look up the newest objects, and watch another one."""
        root = self.profile.lookup_root
        if root is None or not self._is_connected:
            return
        known = {subscription.spec.id for subscription in self.subscriptions}
        new = [found for found in await self._newest(PAGES[root]) if found not in known]
        if new:
            from_seq = self._random.choice([1, None]) if root == JOB else None
            chosen = self._random.choice(new)
            self.watch(
                SubscriptionSpec(root=root, owner=self.profile.owner, id=chosen, from_seq=from_seq)
            )

    def disconnect(self, *, abruptly: bool) -> None:
        """Disconnect, with or without a closing handshake."""
        if self._socket is not None and self._is_connected:
            self._log.write(LogEvent.DISCONNECTED, abruptly=abruptly)
            if abruptly:
                self._socket.abort()
            else:
                self._socket.close()

    async def pause_reading(self, seconds: float) -> None:
        """Stop reading for some seconds."""
        socket = self._socket
        if socket is not None and self._is_connected:
            self._log.write(LogEvent.PAUSED, seconds=seconds)
            socket.set_reading(False)
            await asyncio.sleep(seconds)
            socket.set_reading(True)

    def stop(self) -> None:
        self._is_stopped = True
        if self._socket is not None:
            self._socket.close()

    def on_open(self) -> None:
        init = {"Authorization": f"Bearer {self.profile.token}"}
        self._send({"type": "connection_init", "payload": init})

    def on_message(self, text: bytes) -> None:
        message = orjson.loads(text)
        match message["type"]:
            case "connection_ack":
                self._log.write(LogEvent.OPENED, api=self._api)
                self._is_connected = True
                for number in range(len(self.subscriptions)):
                    self._subscribe(number)
            case "ping":
                self._send({"type": "pong"})
            case "next" if message["id"].startswith(LOOKUP_PREFIX):
                if self._page is not None and not self._page.done():
                    self._page.set_result(message["payload"])
            case "next":
                self._receive(int(message["id"]), text, message["payload"])
            case "error" if not message["id"].startswith(LOOKUP_PREFIX):
                self._fail(int(message["id"]), message["payload"])

    def on_close(self, code: int | None) -> None:
        self._log.write(LogEvent.CLOSED, code=code, was_open=self._is_connected)
        self._is_connected = False
        self._closed.set()

    async def _until_closed(self) -> None:
        """Wait until the connection ends; abort it if it is not acknowledged in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                await self._closed.wait()
        if not self._is_connected and self._socket is not None:
            self._socket.abort()
        await self._closed.wait()

    async def _newest(self, page: str) -> list[str]:
        self._page = asyncio.get_running_loop().create_future()
        query = f"query {{ {page}(first: {PAGE_ROWS}) {{ edges {{ node {{ id }} }} }} }}"
        self._send(
            {
                "type": "subscribe",
                "id": f"{LOOKUP_PREFIX} {next(self._pages)}",
                "payload": {"query": query},
            }
        )
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                found = await self._page
        except TimeoutError:
            return []
        connection = (found.get("data") or {}).get(page) or {"edges": []}
        return [edge["node"]["id"] for edge in connection["edges"]]

    def _receive(self, number: int, text: bytes, result: dict[str, Any]) -> None:
        subscription = self.subscriptions[number]
        if result.get("data") is None or result.get("errors"):
            self._fail(number, result.get("errors"))
            return
        self._log.write_received(number, text)
        subscription.cursor = result["data"][subscription.spec.root]["cursor"]

    def _fail(self, number: int, errors: Any) -> None:
        """Restart if the history was lost; any other error is permanent."""
        subscription = self.subscriptions[number]
        self._log.write(LogEvent.FAILED, sub=number, errors=errors)
        codes = [error.get("extensions", {}).get("code") for error in errors]
        if subscription.cursor is not None and "HISTORY_LOST" in codes:
            subscription.cursor = None
            self._subscribe(number)
        else:
            subscription.has_failed = True

    def _subscribe(self, number: int) -> None:
        subscription = self.subscriptions[number]
        if not subscription.has_failed:
            self._log.write(LogEvent.SUBSCRIBED, sub=number, after=subscription.cursor)
            variables = subscription.spec.variables(subscription.cursor)
            payload = {"query": subscription.spec.query, "variables": variables}
            self._send({"type": "subscribe", "id": str(number), "payload": payload})

    def _send(self, message: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(orjson.dumps(message))
