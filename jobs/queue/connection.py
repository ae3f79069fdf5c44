"""The connection to Redis: data-only serialization, and a deadline on every command."""

import json
from contextlib import suppress
from typing import Any, Final

from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError, ResponseError

CONNECT_TIMEOUT_S: Final = 1.0
COMMAND_TIMEOUT_S: Final = 5.0  # a peer that swallows packets must not hang a worker

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0

RedisFailure = (RedisError, OSError, RuntimeError)
"""What any command may raise when Redis is away; a RuntimeError is what uvloop says when a
connection closes while it is written to."""


def serialize(value: dict[str, Any]) -> bytes:
    # arq's default is pickle, which runs whatever a writer to Redis likes.
    # `default`: arq wants to serialize its own exceptions, too, which nobody reads.
    return json.dumps(value, separators=(",", ":"), default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(data)
    return value


async def drop_if_foreign(redis: ArqRedis, key: str, error: Exception) -> None:
    """Remove `key` if `error` says that it holds something of another type.

    Redis is no record: what stands in the way of the queue may go, whoever put it there.
    """
    if isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE"):
        with suppress(*RedisFailure):
            await redis.unlink(key)


def next_pause_s(last_s: float, held_s: float) -> float:
    """Say how long to wait before the next connection, in seconds, ever longer if none holds.

    `last_s` is what it was the last time, 0 at first; `held_s` how long the lost one has held.
    """
    if held_s > LONGEST_PAUSE_S:
        return FIRST_PAUSE_S
    return min(max(last_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)


def connect(url: str, queue_name: str) -> ArqRedis:
    """Build a client; connects on first use."""
    parsed = RedisSettings.from_dsn(url)
    return ArqRedis(
        host=str(parsed.host),
        port=parsed.port,
        db=parsed.database,
        username=parsed.username,
        password=parsed.password,
        ssl=parsed.ssl,
        unix_socket_path=parsed.unix_socket_path,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=COMMAND_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=10,
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name=queue_name,
    )
