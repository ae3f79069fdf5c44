"""Opens many WebSockets in one process, and records when messages arrive, without parsing them.

Reads commands as lines of JSON on stdin: which sockets to open, how many frames to wait for, and
when events were published; answers each command with a line of JSON.
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

MAX_CONCURRENT = 100  # concurrent handshakes
WITHIN_S = 120.0

# RFC 6455, 5.2: the first byte of an unfragmented frame, and the mask bit.
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
MASKED = 0x80
WITHOUT_CLOSE = 1006


class Frames:
    """The frames of all sockets: the number of each frame on its socket, and its arrival time."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.clear(0)

    def clear(self, expected: int) -> None:
        self.sockets, self.numbers, self.times = array("l"), array("l"), array("d")
        self.expected = expected
        self.arrived.clear()
        if not expected:
            self.arrived.set()

    def add(self, socket: int, first: int, count: int) -> None:
        now = time.monotonic()
        for number in range(first, first + count):
            self.sockets.append(socket)
            self.numbers.append(number)
            self.times.append(now)
        if len(self.times) >= self.expected:
            self.arrived.set()


class Socket(asyncio.Protocol):
    """A raw client that performs the handshake, sends its messages, and counts frames."""

    def __init__(self, number: int, config: dict[str, Any], frames: Frames) -> None:
        self.number = number
        self.count = 0
        self.closed: int | None = None
        self._config = config
        self._frames = frames
        self._rest = b""
        self._is_open = False
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        key = base64.b64encode(os.urandom(16)).decode()
        topic = self.number % self._config["topics"]
        lines = [
            f"GET {self._config['path'].replace('TOPIC', str(topic))} HTTP/1.1",
            f"Host: 127.0.0.1:{self._config['port']}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if self._config["protocol"]:
            lines.append(f"Sec-WebSocket-Protocol: {self._config['protocol']}")
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
        if self._sent < len(self._config["messages"]) and self.count >= self._sent:
            self._send_next()

    def _send_next(self) -> None:
        """Send the next message; each one waits for the answer to the previous one."""
        text = self._config["messages"][self._sent]
        self._sent += 1
        topic = str(self.number % self._config["topics"])
        message = text.replace("TOPIC", topic).replace("SOME-ID", str(uuid.uuid4())).encode()
        size = bytes([MASKED | 126]) + len(message).to_bytes(2)
        self._transport.write(bytes([TEXT]) + size + bytes(4) + message)

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
        """Answer pings, because servers disconnect clients that do not, and note the close code."""
        if kind == PING:
            self._transport.write(bytes([PONG, MASKED | len(payload)]) + bytes(4) + payload)
        elif kind == CLOSE:
            self.closed = int.from_bytes(payload[:2])

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closed or WITHOUT_CLOSE


async def open_all(config: dict[str, Any], frames: Frames) -> list[Socket]:
    """Open the sockets, and wait until each has received its setup frames."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(MAX_CONCURRENT)
    frames.clear(config["sockets"] * config["setup_frames"])
    sockets = [Socket(number, config, frames) for number in range(config["sockets"])]

    async def connect(socket: Socket) -> None:
        async with gate:
            await loop.create_connection(lambda: socket, "127.0.0.1", config["port"])
            while socket.count < config["setup_frames"]:
                if socket.closed is not None:
                    raise ConnectionError(f"a socket was closed during setup: {socket.closed}")
                await asyncio.sleep(0.002)

    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*map(connect, sockets))
    return sockets


def latencies(published: list[float], topics: int, setup: int, frames: Frames) -> dict[str, Any]:
    """Return the latencies of the frames since their publication."""
    topic_of = [socket % topics for socket in range(max(frames.sockets, default=0) + 1)]
    latencies_s = [
        at - published[topic_of[socket] + (number - setup) * topics]
        for socket, number, at in zip(frames.sockets, frames.numbers, frames.times, strict=True)
    ]
    return {
        "frames": len(latencies_s),
        "seconds": max(frames.times) - published[0],
        "p50_ms": percentile(latencies_s, 50) * 1_000,
        "p99_ms": percentile(latencies_s, 99) * 1_000,
    }


@dataclass
class Load:
    """The state of this process."""

    frames: Frames
    sockets: list[Socket] = field(default_factory=list)
    topics: int = 1
    measured: int = 0
    """The number of frames of each socket that were measured or belong to its setup."""

    async def handle(self, command: dict[str, Any]) -> dict[str, Any]:
        if "open" in command:
            try:
                self.sockets = await open_all(command["open"], self.frames)
            except OSError as error:  # TimeoutError is one
                return {"problem": f"sockets could not be opened: {error!r}"}
            self.measured, self.topics = command["open"]["setup_frames"], command["open"]["topics"]
            gc.freeze()
            return {}
        if "expect" in command:
            self.frames.clear(command["expect"])
            return {}
        return await self._wait_and_measure(command["published"], command["within_s"])

    async def _wait_and_measure(self, published: list[float], within_s: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within_s):
                await self.frames.arrived.wait()
        except TimeoutError:
            closed = sum(socket.closed is not None for socket in self.sockets)
            return {
                "problem": f"{len(self.frames.times)} of {self.frames.expected}, {closed} closed"
            }
        found = latencies(published, self.topics, self.measured, self.frames)
        self.measured += len(published) // self.topics
        return found


async def main() -> None:
    load = Load(Frames())
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        print(json.dumps(await load.handle(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
