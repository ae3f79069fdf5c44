"""An issuer that publishes a key set over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class KeyServer:
    """The response of the server, and its request counter."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0
        self.body: object = {"keys": []}
        """The response body; None makes the request fail."""

    def publish(self, **keys: RSAPublicKey | EllipticCurvePublicKey) -> None:
        self.body = {"keys": [jwk_of(name, key) for name, key in keys.items()]}

    async def answer(self, _request: Request) -> Response:
        self.requests += 1
        status = 500 if self.body is None else 200
        return Response(json.dumps(self.body), status, media_type="application/json")


@asynccontextmanager
async def serve_keys() -> AsyncIterator[KeyServer]:
    """Serve a key set on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    keys = KeyServer(f"http://127.0.0.1:{listener.getsockname()[1]}/keys")
    app = Starlette(routes=[Route("/keys", keys.answer)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        try:
            yield keys
        finally:
            server.should_exit = True


def jwk_of(key_id: str, key: RSAPublicKey | EllipticCurvePublicKey) -> dict[str, Any]:
    """Return a public key as a JWK."""
    if isinstance(key, RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    return {**jwk, "kid": key_id, "use": "sig"}
