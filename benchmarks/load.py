"""Repeats one request on persistent connections, each time when the last one is answered.

Reads its configuration as JSON from standard input, and prints the results as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

MAX_SHOWN_BYTES = 300


@dataclass(slots=True)
class Tally:
    until: float
    request: bytes
    latencies_ms: list[float] = field(default_factory=list)
    rejected: int = 0
    rejection: str = ""


class Connection(asyncio.Protocol):
    """An HTTP/1.1 connection, with Content-Length or chunks, and one request at a time."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = bytearray()
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _complete(self._buffer):
            return
        self._count(bytes(self._buffer))
        self._buffer.clear()
        if time.perf_counter() < self._tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._tally.request)

    def _count(self, answer: bytes) -> None:
        if answer.startswith(b"HTTP/1.1 200") and b'"errors"' not in answer:
            self._tally.latencies_ms.append((time.perf_counter() - self._sent_at) * 1000)
        else:
            self._tally.rejected += 1
            self._tally.rejection = answer[-MAX_SHOWN_BYTES:].decode(errors="replace")


def _complete(answer: bytearray) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(answer[:end]).lower()
    if b"transfer-encoding: chunked" in head:
        return answer.endswith(b"0\r\n\r\n")
    _, found, after = head.partition(b"content-length:")
    length = int(after.split(b"\r\n", 1)[0]) if found else 0
    return len(answer) >= end + 4 + length


async def load(config: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(config["body"]).encode()
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", **config["headers"]}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    start = f"POST {config['path']} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    began = time.perf_counter()
    tally = Tally(began + config["seconds"], start.encode() + body)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(tally), "127.0.0.1", config["port"])
        for _ in range(config["connections"])
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    return {
        "seconds": time.perf_counter() - began,
        "latencies_ms": tally.latencies_ms,
        "rejected": tally.rejected,
        "rejection": tally.rejection,
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load(json.load(sys.stdin)))))
