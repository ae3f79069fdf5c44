"""Reads streamed responses frame by frame."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.schema.conftest import Running

SSE = {"accept": "text/event-stream"}
MULTIPART = {"accept": "multipart/mixed; subscriptionSpec=1.0, application/json"}
SEPARATORS = {"text/event-stream": b"\n\n", "multipart/mixed": b"\r\n---"}
COMMENT = b":"


@dataclass(frozen=True, slots=True)
class Frames:
    """A streamed response."""

    response: httpx.Response
    _frames: AsyncIterator[bytes]

    async def next(self) -> bytes:
        """Return the next frame that is not a comment; empty at the end."""
        async for frame in self._frames:
            if frame != COMMENT:
                return frame
        return b""

    async def next_frame(self) -> bytes:
        """Return the next frame, including comments."""
        return await anext(self._frames, b"")

    async def read_to_end(self) -> list[bytes]:
        """Read to the end, and return all frames that are not comments."""
        return [frame async for frame in self._frames if frame != COMMENT]


@asynccontextmanager
async def streamed(
    running: Running, query: str, headers: dict[str, str], method: str = "POST"
) -> AsyncIterator[Frames]:
    """Send an operation and read its response as it arrives."""
    sent = {"params": {"query": query}} if method == "GET" else {"json": {"query": query}}
    async with (
        running.client() as client,
        client.stream(method, "/graphql", headers=headers, **sent) as response,  # type: ignore[arg-type]
        aclosing(_frames(response)) as frames,
    ):
        yield Frames(response, frames)


async def _frames(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    separator = SEPARATORS[response.headers["content-type"].partition(";")[0]]
    text = b""
    async for chunk in response.aiter_raw():
        *frames, text = (text + chunk).split(separator)
        for frame in frames:
            yield frame
    if text:
        yield text
