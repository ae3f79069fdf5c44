"""Says whether the process lives, and whether what it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ostinato.jobs.logs import get_log

CHECK_TIMEOUT_S = 2.0
LOOK = "run `ostinato doctor` with this process's variables: it says what to do"

Check = Callable[[], Awaitable[object]]
"""Returns when what it checks is usable; raises when it is not."""

log = get_log("ostinato.health")


def health_routes(checks: Mapping[str, Check], dead_tasks: Callable[[], list[str]]) -> list[Route]:
    """Build `/healthz` (no I/O: restart me if it fails) and `/readyz` (send me no traffic).

    `dead_tasks` names the long-lived tasks that have failed again and again.
    """

    async def healthz(_request: Request) -> JSONResponse:
        if dead := dead_tasks():
            answer = {"status": "failed", "tasks": dead}
            return JSONResponse(answer, HTTPStatus.SERVICE_UNAVAILABLE)
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
    except Exception as error:  # whatever a driver raises: the answer is the same, the log has it
        log.warning("health.failed", check=name, error=repr(error), fix=LOOK)
        return False
    return True
