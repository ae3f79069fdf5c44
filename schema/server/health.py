"""Health endpoints: `/healthz` (liveness) and `/readyz` (readiness)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

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
