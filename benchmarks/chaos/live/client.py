"""One client: what it watches goes on behind its newest cursor, whatever became of its sockets.

It resumes as the module `ostinato-resume` does, and writes down every message before it heeds it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from typing import Any, Final

import orjson

from benchmarks.chaos.live.log import Log, What
from benchmarks.chaos.live.wants import JOB, PAGES, Want
from benchmarks.chaos.live.wire import Socket, connect

PATIENCE_S: Final = 20.0  # for the acknowledgement, and for an answer
BACK_OFF_S: Final = (0.3, 3.0)  # as graphql-ws does
PAGE_ROWS: Final = 10
PAGE: Final = "page"
"""How the ids of operations begin that look objects up; those of subscriptions are numbers."""


@dataclass(slots=True, eq=False)
class Place:
    """Where one subscription is."""

    want: Want
    cursor: str | None = None
    """Behind the newest message; None before the first, and where a snapshot is needed."""
    is_over: bool = False
    """Whether it failed for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who a client is."""

    owner: str | None
    token: str
    is_slow: bool
    """Whether it stops reading now and then."""
    looks_up: str | None
    """The root field by which it watches what it has looked up, one by one; None for lists."""


class Client:
    def __init__(self, person: Person, ports: Sequence[int], random: Random, log: Log) -> None:
        self.person = person
        self.places: list[Place] = []
        self._is_leaving = False
        self._ports = ports
        self._random = random
        self._log = log
        self._socket: Socket | None = None
        self._api = 0
        self._is_connected = False
        self._lost = asyncio.Event()
        self._page: asyncio.Future[Any] | None = None
        self._pages = count()

    async def run(self) -> None:
        """Stay connected until it leaves."""
        while not self._is_leaving:
            self._lost.clear()
            self._api = self._random.randrange(len(self._ports))
            with suppress(OSError):
                port = self._ports[self._api]
                self._socket = await connect(port, self, has_little_room=self.person.is_slow)
                await self._live()
            await asyncio.sleep(self._random.uniform(*BACK_OFF_S))

    def watch(self, want: Want) -> None:
        """Begin to watch, at once if it is connected."""
        self._log.write(What.WANTS, sub=len(self.places), want=asdict(want))
        self.places.append(Place(want))
        if self._is_connected:
            self._ask(len(self.places) - 1)

    async def look_up(self) -> None:
        """Find the newest objects of the kind, and watch one of them more."""
        root = self.person.looks_up
        if root is None or not self._is_connected:
            return
        known = {place.want.id for place in self.places}
        new = [found for found in await self._newest(PAGES[root]) if found not in known]
        if new:
            from_seq = self._random.choice([1, None]) if root == JOB else None
            chosen = self._random.choice(new)
            self.watch(Want(root=root, owner=self.person.owner, id=chosen, from_seq=from_seq))

    def go_away(self, *, rudely: bool) -> None:
        """Lose the connection, or leave it as one should."""
        if self._socket is not None and self._is_connected:
            self._log.write(What.LEFT, rudely=rudely)
            if rudely:
                self._socket.cut()
            else:
                self._socket.close()

    async def doze(self, seconds: float) -> None:
        """Read nothing for a while."""
        socket = self._socket
        if socket is not None and self._is_connected:
            self._log.write(What.DOZED, seconds=seconds)
            socket.read(False)
            await asyncio.sleep(seconds)
            socket.read(True)

    def leave(self) -> None:
        self._is_leaving = True
        if self._socket is not None:
            self._socket.close()

    def opened(self) -> None:
        init = {"Authorization": f"Bearer {self.person.token}"}
        self._send({"type": "connection_init", "payload": init})

    def told(self, text: bytes) -> None:
        message = orjson.loads(text)
        match message["type"]:
            case "connection_ack":
                self._log.write(What.OPENED, api=self._api)
                self._is_connected = True
                for number in range(len(self.places)):
                    self._ask(number)
            case "ping":
                self._send({"type": "pong"})
            case "next" if message["id"].startswith(PAGE):
                if self._page is not None and not self._page.done():
                    self._page.set_result(message["payload"])
            case "next":
                self._take(int(message["id"]), text, message["payload"])
            case "error" if not message["id"].startswith(PAGE):
                self._fail(int(message["id"]), message["payload"])

    def closed(self, code: int | None) -> None:
        self._log.write(What.CLOSED, code=code, was_open=self._is_connected)
        self._is_connected = False
        self._lost.set()

    async def _live(self) -> None:
        """Wait for the end of a socket, which must be acknowledged soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._lost.wait()
        if not self._is_connected and self._socket is not None:
            self._socket.cut()
        await self._lost.wait()

    async def _newest(self, page: str) -> list[str]:
        self._page = asyncio.get_running_loop().create_future()
        query = f"query {{ {page}(first: {PAGE_ROWS}) {{ edges {{ node {{ id }} }} }} }}"
        self._send(
            {"type": "subscribe", "id": f"{PAGE} {next(self._pages)}", "payload": {"query": query}}
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._page
        except TimeoutError:
            return []
        connection = (found.get("data") or {}).get(page) or {"edges": []}
        return [edge["node"]["id"] for edge in connection["edges"]]

    def _take(self, number: int, text: bytes, result: dict[str, Any]) -> None:
        place = self.places[number]
        if result.get("data") is None or result.get("errors"):
            self._fail(number, result.get("errors"))
            return
        self._log.told(number, text)
        place.cursor = result["data"][place.want.root]["cursor"]

    def _fail(self, number: int, errors: Any) -> None:
        """Begin anew where the cursor was refused; anything else is the end."""
        place = self.places[number]
        self._log.write(What.FAILED, sub=number, errors=errors)
        codes = [error.get("extensions", {}).get("code") for error in errors]
        if place.cursor is not None and "HISTORY_LOST" in codes:
            place.cursor = None
            self._ask(number)
        else:
            place.is_over = True

    def _ask(self, number: int) -> None:
        place = self.places[number]
        if not place.is_over:
            self._log.write(What.ASKED, sub=number, after=place.cursor)
            variables = place.want.variables(place.cursor)
            payload = {"query": place.want.query, "variables": variables}
            self._send({"type": "subscribe", "id": str(number), "payload": payload})

    def _send(self, message: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(orjson.dumps(message))
