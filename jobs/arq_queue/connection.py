"""Connections to Redis: JSON instead of pickle, and a timeout for every command."""

import json
from contextlib import suppress
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from arq.connections import ArqRedis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.cancellation import run_cleanup

CONNECT_TIMEOUT_S: Final = 1.0
COMMAND_TIMEOUT_S: Final = 5.0  # a connection that drops packets must not block a worker

FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 2.0

DEFAULTS: Final[dict[str, Any]] = {
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_timeout": COMMAND_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
"""Defaults that options in the URL can override."""

FIX_UNREACHABLE: Final = "start the server or correct OSTINATO_REDIS_URL"
FIX_CREDENTIALS: Final = "correct the user and the password in OSTINATO_REDIS_URL"
INVALID_URL: Final = (
    "OSTINATO_REDIS_URL is not a Redis URL: write redis://user:password@host:6379/0, or "
    "rediss:// for TLS, and percent-encode special characters in the password (`@` as %40, `/` as "
    "%2F, `#` as %23)"
)

REDIS_ERRORS = (RedisError, OSError, RuntimeError)
"""Errors that a command may raise if Redis is unavailable. uvloop raises a
RuntimeError if a connection closes during a write."""


def fix_for(error: Exception) -> str:
    """Return the suggested fix for an error."""
    return FIX_CREDENTIALS if isinstance(error, AuthenticationError) else FIX_UNREACHABLE


def serialize(value: dict[str, Any]) -> bytes:
    # arq's default is pickle: write access to Redis would allow code execution here.
    # `default`: arq also serializes its own exceptions, which are not used.
    return json.dumps(value, separators=(",", ":"), default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(data)
    return value


async def delete_if_wrong_type(redis: ArqRedis, key: str, error: Exception) -> None:
    """Delete `key` if `error` is a WRONGTYPE error.

    Redis holds no state that MongoDB does not have, so a key that blocks the queue may be deleted.
    """
    if isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE"):
        with suppress(*REDIS_ERRORS):
            await redis.unlink(key)


def reconnect_backoff() -> Backoff:
    """Return the reconnect backoff; a connection that lasted MAX_PAUSE_S resets it."""
    return Backoff(FIRST_PAUSE_S, MAX_PAUSE_S, stable_s=MAX_PAUSE_S)


def connect(url: str, queue_name: str) -> ArqRedis:
    """Build a client that connects on first use. Raises ValueError for an invalid URL.

    Does not use arq's URL parser, which does not decode passwords and ignores TLS options.
    """
    try:
        return ArqRedis(
            **{**DEFAULTS, **_options(url)},
            decode_responses=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
            default_queue_name=queue_name,
        )
    except TypeError as error:  # Redis.__init__() got an unexpected keyword argument 'x'
        option = str(error).rpartition(" ")[2]
        raise ValueError(f"OSTINATO_REDIS_URL has an unknown option {option}: remove it") from None


def anonymous(url: str) -> ArqRedis:
    """Build a client of the same server without credentials."""
    options = {**_options(url), "username": None, "password": None}
    return ArqRedis(**{**DEFAULTS, **options})


async def close(redis: ArqRedis) -> None:
    """Close the client's connections, even if the task is canceled meanwhile."""
    await run_cleanup(partial(redis.aclose, close_connection_pool=True))


def url_problem(url: str) -> str | None:
    """Return the problem with a URL and its fix; None if the URL is valid."""
    try:
        pool = connect(url, "").connection_pool
        connection = pool.connection_class(**pool.connection_kwargs)
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()  # loads the certificate files
    except ValueError as error:
        return str(error)
    except (RedisError, OSError, TypeError) as error:
        return f"OSTINATO_REDIS_URL has an invalid option ({error}): correct it"
    return None


def _options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    try:
        options: dict[str, Any] = {**parse_url(url)}
        is_path_valid = (
            parts.scheme == "unix" or parts.path.strip("/").isdigit() or parts.path in ("", "/")
        )
        if parts.fragment or not is_path_valid:  # part of an unencoded password
            raise ValueError
    except ValueError:  # its text may contain part of the password
        raise ValueError(INVALID_URL) from None
    kind = options.pop("connection_class", None)
    options.pop("decode_responses", None)
    if kind is SSLConnection:
        options["ssl"] = True
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    return options
