"""Compresses responses, but never streams."""

import asyncio
import zlib

MIN_BYTES = 1_024  # a smaller response fits in one or two packets anyway
BLOCKING_BYTES = 65_536  # compressing more than this takes over 1 ms
LEVEL = 4  # shrinks a JSON list to a tenth; higher levels take twice as long to save 10 % more
GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def compress(body: bytes) -> bytes:
    """Compress with gzip, in a thread if the body is large."""
    if len(body) < BLOCKING_BYTES:
        return _compress(body)
    return await asyncio.to_thread(_compress, body)


def _compress(body: bytes) -> bytes:
    return zlib.compress(body, LEVEL, GZIP_WINDOW)
