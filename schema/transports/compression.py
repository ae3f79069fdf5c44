"""Compresses whole answers for clients that read gzip; a stream is never held back for it."""

import asyncio
import zlib

MIN_BYTES = 1_024  # below, the answer fits a packet or two anyway
BLOCKING_BYTES = 65_536  # about 1 ms of compressing
LEVEL = 4  # JSON of a list shrinks 10 times; higher levels take twice as long for a tenth less
GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def gzipped(body: bytes) -> bytes:
    """Compress, beside the event loop if it takes long."""
    if len(body) < BLOCKING_BYTES:
        return _compress(body)
    return await asyncio.to_thread(_compress, body)


def _compress(body: bytes) -> bytes:
    return zlib.compress(body, LEVEL, GZIP_WINDOW)
