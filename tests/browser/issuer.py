"""An OpenID Connect issuer that signs everybody in as ann, without a password."""

import asyncio
import hashlib
import secrets
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.schema.key_server import jwk_of

CLIENT = "the-pages"
TOKEN_S = 61
"""The pages renew a token a minute before it expires."""


class Issuer:
    """What the issuer was asked for, and what it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.denies = False
        self.renewals = 0
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self._challenges: dict[str, str] = {}
        """The PKCE challenge of each unused code."""

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self._configuration),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/keys", self._keys),
        ]

    async def _configuration(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def _authorize(self, request: Request) -> Response:
        query = request.query_params
        assert (query["client_id"], query["code_challenge_method"]) == (CLIENT, "S256")
        answer = {"state": query["state"]}
        if self.denies:
            answer |= {"error": "access_denied", "error_description": "ann may not use this"}
        else:
            code = answer["code"] = secrets.token_hex()
            self._challenges[code] = query["code_challenge"]
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form["grant_type"] == "refresh_token":
            self.renewals += 1
        else:
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = urlsafe_b64encode(digest).decode().rstrip("=")
            assert self._challenges.pop(form["code"]) == challenge
        token = self._signed()
        tokens = {"access_token": token, "id_token": token, "refresh_token": "refresh"}
        return JSONResponse({**tokens, "token_type": "Bearer", "expires_in": TOKEN_S})

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [jwk_of("key", self._key.public_key())]})

    def _signed(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {"sub": "ann", "iss": self.url, "aud": CLIENT}
        times = {"iat": now, "exp": now + TOKEN_S}
        return jwt.encode(claims | times, self._key, "RS256", headers={"kid": "key"})


@asynccontextmanager
async def serving_issuer() -> AsyncIterator[Issuer]:
    """Serve an issuer on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = Issuer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    any_origin = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
    app = Starlette(routes=issuer.routes(), middleware=[any_origin])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        try:
            yield issuer
        finally:
            server.should_exit = True
