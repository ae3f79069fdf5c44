"""An HTTP API that fails on request, for trying out retries. It knows no secret."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

from cachetools import LRUCache

PATH: Final = "/flaky"
MAX_KEYS: Final = 1_000
MAX_KEY_CHARS: Final = 128
MAX_FAILURES: Final = 999
FAILURES: Final = re.compile(r"[0-9]{1,3}")
REQUEST_TIMEOUT_S: Final = 2.0  # requests are handled one after another
POLL_S: Final = 0.05  # how long stopping may take

Reply = tuple[HTTPStatus, dict[str, object]]


class CallCounter:
    """Counts the calls of each key; evicts the least recently called key."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._calls: LRUCache[str, int] = LRUCache(max_keys)

    def count(self, key: str) -> int:
        """Count a call of `key` and return its number, starting at 1."""
        call = self._calls[key] = self._calls.get(key, 0) + 1
        return call


@contextmanager
def serving_flaky_api() -> Iterator[str]:
    """Serve the API on a free port of 127.0.0.1, and return its URL.

    With `?key=…&failures=2`, the first calls of a key are answered with 503, the others with 200.
    """
    calls = CallCounter()

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            status, body = reply(self.path, calls)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Log nothing: the demo shows each call as a job."""

    with TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{PATH}"
        finally:
            server.shutdown()


def reply(target: str, calls: CallCounter) -> Reply:
    """Count the call of a request's target, and return the status and the JSON of the response."""
    url = urlsplit(target)
    if url.path != PATH:
        return HTTPStatus.NOT_FOUND, {"error": f"the only resource is {PATH}"}
    query = parse_qs(url.query, keep_blank_values=True)
    key, failures = query.get("key", ["default"])[0], query.get("failures", ["2"])[0]
    if len(key) > MAX_KEY_CHARS or not FAILURES.fullmatch(failures):
        message = f"key: at most {MAX_KEY_CHARS} characters; failures: 0 to {MAX_FAILURES}"
        return HTTPStatus.BAD_REQUEST, {"error": message}
    call = calls.count(key)
    succeeds = call > int(failures)
    status = HTTPStatus.OK if succeeds else HTTPStatus.SERVICE_UNAVAILABLE
    return status, {"key": key, "call": call, "ok": succeeds}
