"""Owns the questions whether a Redis server is fit for Ostinato: asked, never changed."""

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.utils import str_if_bytes

from ostinato.jobs.findings import Finding
from ostinato.jobs.queue.connection import LOG_IN, REACH_IT, connect, refusal

KEEP_ALL = "noeviction"


async def inspect_redis(redis_url: str) -> list[Finding]:
    """Look at everything that Ostinato needs of the server."""
    if reason := refusal(redis_url):
        return [Finding(subject="Redis", detail="cannot be connected to", fix=reason)]
    client = connect(redis_url, "")
    try:
        info = await client.info("server")
        return [
            Finding(subject="Redis", detail=f"answers, version {_version(info)}"),
            await _policy(client),
        ]
    except AuthenticationError as error:
        return [Finding(subject="Redis", detail=f"refuses the password ({error})", fix=LOG_IN)]
    except (RedisError, OSError) as error:
        return [Finding(subject="Redis", detail=f"does not answer ({error})", fix=REACH_IT)]
    finally:
        await client.aclose(close_connection_pool=True)


def _version(info: dict[str, object]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version"))


async def _policy(client: Redis) -> Finding:
    subject = "maxmemory-policy"
    try:
        found = await client.config_get(subject)
        policy = next(map(str_if_bytes, found.values()))
    except ResponseError:
        return Finding(subject=subject, detail="hidden by the server; it must be noeviction")
    if policy == KEEP_ALL:
        return Finding(subject=subject, detail=policy)
    fix = f"set it to {KEEP_ALL}: `CONFIG SET maxmemory-policy {KEEP_ALL}`, and in its file"
    return Finding(subject=subject, detail=policy, fix=fix)
