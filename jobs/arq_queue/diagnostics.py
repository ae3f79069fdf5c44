"""Read-only checks of a Redis server's configuration."""

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.utils import str_if_bytes

from ostinato.jobs.arq_queue.connection import (
    FIX_CREDENTIALS,
    FIX_UNREACHABLE,
    close,
    connect,
    url_problem,
)
from ostinato.jobs.findings import Finding

NO_EVICTION = "noeviction"


async def inspect_redis(redis_url: str) -> list[Finding]:
    """Check the server against Ostinato's requirements."""
    if reason := url_problem(redis_url):
        return [Finding(subject="Redis", detail="cannot be connected to", fix=reason)]
    client = connect(redis_url, "")
    try:
        info = await client.info("server")
        return [
            Finding(subject="Redis", detail=f"answers, version {_version(info)}"),
            await _policy(client),
        ]
    except AuthenticationError as error:
        return [
            Finding(subject="Redis", detail=f"rejects the password ({error})", fix=FIX_CREDENTIALS)
        ]
    except (RedisError, OSError) as error:
        return [Finding(subject="Redis", detail=f"does not answer ({error})", fix=FIX_UNREACHABLE)]
    finally:
        await close(client)


def _version(info: dict[str, object]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version"))


async def _policy(client: Redis) -> Finding:
    subject = "maxmemory-policy"
    try:
        found = await client.config_get(subject)
        policy = next(map(str_if_bytes, found.values()))
    except ResponseError:
        return Finding(subject=subject, detail="not readable on this server; it must be noeviction")
    if policy == NO_EVICTION:
        return Finding(subject=subject, detail=policy)
    command = f"CONFIG SET maxmemory-policy {NO_EVICTION}"
    fix = f"set it to {NO_EVICTION}: run `{command}`, and set it in the configuration file"
    return Finding(subject=subject, detail=policy, fix=fix)
