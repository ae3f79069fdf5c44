"""A development endpoint that fails a given number of times, for testing retries."""

import re
from http import HTTPStatus

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

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
