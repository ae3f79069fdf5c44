"""Holds many WebSockets open in one process; notes when each message arrives, without reading it.

Told by lines of JSON on stdin what to open, how many frames to wait for, and when what was
published; answers each with a line of JSON.
"""

import asyncio
import base64
import gc
import json
import os
import sys
import time
import uuid
from array import array
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from benchmarks.figures import percentile

AT_ONCE = 100  # handshakes on their way
WITHIN_S = 120.0

# RFC 6455, 5.2: the first byte of a whole frame, and the bit of who masks it.
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
MASKED = 0x80
WITHOUT_CLOSE = 1006


class Frames:
    """What has arrived on all sockets: the number of the frame on its socket, and when."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.clear(0)

    def clear(self, wanted: int) -> None:
        self.sockets, self.numbers, self.times = array("l"), array("l"), array("d")
        self.wanted = wanted
        self.arrived.clear()
        if not wanted:
            self.arrived.set()

    def add(self, socket: int, first: int, count: int) -> None:
        now = time.monotonic()
        for number in range(first, first + count):
            self.sockets.append(socket)
            self.numbers.append(number)
            self.times.append(now)
        if len(self.times) >= self.wanted:
            self.arrived.set()


class Socket(asyncio.Protocol):
    """One raw client: it shakes hands, says what it is told to, and counts messages."""

    def __init__(self, number: int, what: dict[str, Any], frames: Frames) -> None:
        self.number = number
        self.count = 0
        self.closed: int | None = None
        self._what = what
        self._frames = frames
        self._rest = b""
        self._is_open = False
        self._said = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        key = base64.b64encode(os.urandom(16)).decode()
        topic = self.number % self._what["topics"]
        lines = [
            f"GET {self._what['path'].replace('TOPIC', str(topic))} HTTP/1.1",
            f"Host: 127.0.0.1:{self._what['port']}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if self._what["protocol"]:
            lines.append(f"Sec-WebSocket-Protocol: {self._what['protocol']}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._is_open:
            head, ended, data = data.partition(b"\r\n\r\n")
            if not ended:
                self._rest = head
                return
            self._is_open = True
        self._count(data)
        if self._said < len(self._what["messages"]) and self.count >= self._said:
            self._introduce()

    def _introduce(self) -> None:
        """Say the next thing; each waits for the answer to the one before."""
        text = self._what["messages"][self._said]
        self._said += 1
        topic = str(self.number % self._what["topics"])
        said = text.replace("TOPIC", topic).replace("SOME-ID", str(uuid.uuid4())).encode()
        size = bytes([MASKED | 126]) + len(said).to_bytes(2)
        self._transport.write(bytes([TEXT]) + size + bytes(4) + said)

    def _count(self, data: bytes) -> None:
        start, end, count = 0, len(data), 0
        while end - start >= 2:
            kind, size, head = data[start], data[start + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[start + 2 : start + 4]), 4
            elif size == 127:
                size, head = int.from_bytes(data[start + 2 : start + 10]), 10
            if end - start < head or end - start < head + size:
                break
            if kind == TEXT:
                count += 1
            else:
                self._control(kind, data[start + head : start + head + size])
            start += head + size
        self._rest = data[start:]
        if count:
            self.count += count
            self._frames.add(self.number, self.count - count, count)

    def _control(self, kind: int, payload: bytes) -> None:
        """Answer a ping, as every client does: who gives no answer is cut off."""
        if kind == PING:
            self._transport.write(bytes([PONG, MASKED | len(payload)]) + bytes(4) + payload)
        elif kind == CLOSE:
            self.closed = int.from_bytes(payload[:2])

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closed or WITHOUT_CLOSE


async def open_all(what: dict[str, Any], frames: Frames) -> list[Socket]:
    """Open the sockets and wait until each has got the frames of its beginning."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
    frames.clear(what["sockets"] * what["setup_frames"])
    sockets = [Socket(number, what, frames) for number in range(what["sockets"])]

    async def connect(socket: Socket) -> None:
        async with gate:
            await loop.create_connection(lambda: socket, "127.0.0.1", what["port"])
            while socket.count < what["setup_frames"]:
                if socket.closed is not None:
                    raise ConnectionError(f"a socket was closed as it began: {socket.closed}")
                await asyncio.sleep(0.002)

    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*map(connect, sockets))
    return sockets


def judged(published: list[float], topics: int, setup: int, frames: Frames) -> dict[str, Any]:
    """Tell how long the frames took, from the moment that each was published."""
    topic_of = [socket % topics for socket in range(max(frames.sockets, default=0) + 1)]
    took = [
        when - published[topic_of[socket] + (number - setup) * topics]
        for socket, number, when in zip(frames.sockets, frames.numbers, frames.times, strict=True)
    ]
    return {
        "frames": len(took),
        "seconds": max(frames.times) - published[0],
        "p50_ms": percentile(took, 50) * 1_000,
        "p99_ms": percentile(took, 99) * 1_000,
    }


@dataclass
class Load:
    """What this process holds."""

    frames: Frames
    sockets: list[Socket] = field(default_factory=list)
    topics: int = 1
    heard: int = 0
    """Frames of each socket that were judged, or belong to its beginning."""

    async def do(self, told: dict[str, Any]) -> dict[str, Any]:
        if "open" in told:
            try:
                self.sockets = await open_all(told["open"], self.frames)
            except OSError as error:  # TimeoutError is one
                return {"problem": f"sockets could not be opened: {error!r}"}
            self.heard, self.topics = told["open"]["setup_frames"], told["open"]["topics"]
            gc.freeze()
            return {}
        if "expect" in told:
            self.frames.clear(told["expect"])
            return {}
        return await self._judge(told["published"], told["within_s"])

    async def _judge(self, published: list[float], within_s: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within_s):
                await self.frames.arrived.wait()
        except TimeoutError:
            closed = sum(socket.closed is not None for socket in self.sockets)
            return {"problem": f"{len(self.frames.times)} of {self.frames.wanted}, {closed} closed"}
        found = judged(published, self.topics, self.heard, self.frames)
        self.heard += len(published) // self.topics
        return found


async def main() -> None:
    load = Load(Frames())
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        print(json.dumps(await load.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
