"""Owns the questions whether a Redis server is fit for Ostinato: asked, never changed."""

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.findings import Finding

ANSWER_WITHIN_S = 3.0
KEEP_ALL = "noeviction"


async def inspect_redis(redis_url: str) -> list[Finding]:
    """Look at everything that Ostinato needs of the server."""
    client: Redis = Redis.from_url(
        redis_url,
        decode_responses=True,
        socket_timeout=ANSWER_WITHIN_S,
        socket_connect_timeout=ANSWER_WITHIN_S,
    )
    try:
        info = await client.info("server")
        return [
            Finding(subject="Redis", detail=f"answers, version {_version(info)}"),
            await _policy(client),
        ]
    except (RedisError, OSError) as error:
        fix = "start the server or correct OSTINATO_REDIS_URL"
        return [Finding(subject="Redis", detail=f"does not answer ({error})", fix=fix)]
    finally:
        await client.aclose()


def _version(info: dict[str, object]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version"))


async def _policy(client: Redis) -> Finding:
    subject = "maxmemory-policy"
    try:
        policy = (await client.config_get(subject))[subject]
    except ResponseError:
        return Finding(subject=subject, detail="hidden by the server; it must be noeviction")
    if policy == KEEP_ALL:
        return Finding(subject=subject, detail=policy)
    fix = f"set it to {KEEP_ALL}: `CONFIG SET maxmemory-policy {KEEP_ALL}`, and in its file"
    return Finding(subject=subject, detail=policy, fix=fix)
