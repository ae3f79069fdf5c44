"""The plain HTTP endpoints: `/healthz` and `/readyz`, and `/dev/flaky` in development."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ostinato.jobs.logs import get_log

CHECK_TIMEOUT_S = 2.0
FIX = "run `ostinato doctor` with the environment of this process"

Check = Callable[[], Awaitable[object]]
"""Returns if the dependency is usable; raises otherwise."""

log = get_log("ostinato.health")


def health_routes(checks: Mapping[str, Check], dead_tasks: Callable[[], list[str]]) -> list[Route]:
    """Build `/healthz`, which does no I/O, and `/readyz`, which runs the checks.

    `dead_tasks` returns the names of long-lived tasks that keep failing.
    """

    async def healthz(_request: Request) -> JSONResponse:
        if dead := dead_tasks():
            body = {"status": "failed", "tasks": dead}
            return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> JSONResponse:
        passed = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
        results = {name: "ok" if ok else "failed" for name, ok in zip(checks, passed, strict=True)}
        status = "ok" if all(passed) else "unavailable"
        code = HTTPStatus.OK if all(passed) else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": status, "checks": results}, code)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:  # a driver may raise anything; the error is logged
        log.warning("health.failed", check=name, error=repr(error), fix=FIX)
        return False
    return True


MAX_KEYS = 1_000
MAX_KEY_CHARS = 128
MAX_FAILURES = 999
_FAILURES = re.compile(r"[0-9]{1,3}")


class CallCounter:
    """Counts the calls of each key; evicts the least recently called key."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._calls: LRUCache[str, int] = LRUCache(max_keys)

    def count(self, key: str) -> int:
        """Count a call of `key` and return its number, starting at 1."""
        call = self._calls[key] = self._calls.get(key, 0) + 1
        return call


def flaky_route() -> Route:
    """Build the route `/dev/flaky?key=…&failures=2`: 503 for the first calls of a key, then 200."""
    calls = CallCounter()

    async def flaky(request: Request) -> JSONResponse:
        key = request.query_params.get("key", "default")
        failures = request.query_params.get("failures", "2")
        if len(key) > MAX_KEY_CHARS or not _FAILURES.fullmatch(failures):
            message = f"key: at most {MAX_KEY_CHARS} characters; failures: 0 to {MAX_FAILURES}"
            return JSONResponse({"error": message}, HTTPStatus.BAD_REQUEST)
        call = calls.count(key)
        succeeds = call > int(failures)
        status = HTTPStatus.OK if succeeds else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"key": key, "call": call, "ok": succeeds}, status)

    return Route("/dev/flaky", flaky, methods=["GET", "POST", "PUT"])
