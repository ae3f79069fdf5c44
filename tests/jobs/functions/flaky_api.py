"""A real HTTP API that fails a given number of times."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class FlakyApi:
    port: int = 0
    failures: int = 0
    """Number of calls that will still fail."""
    answer: bytes = b'{"ok": true}'
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    """The method, path and body of each call."""
    names: list[str] = field(default_factory=list)
    """The Host header of each call."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook?x=1"


@contextmanager
def serving_flaky_api() -> Iterator[FlakyApi]:
    api = FlakyApi()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            api.calls.append((self.command, self.path, body))
            api.names.append(self.headers["Host"])
            api.failures -= 1
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/hook")
            else:
                self.send_response(503 if api.failures >= 0 else 200)
            self.end_headers()
            self.wfile.write(api.answer)

        do_GET = do_POST = respond  # noqa: N815  # http.server calls them by these names

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.port = server.server_address[1]
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield api
        server.shutdown()
