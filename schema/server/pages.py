"""The built web pages: the live page, GraphiQL, their assets and their configuration."""

import asyncio
import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ostinato.jobs.rights import ADMIN
from ostinato.jobs.settings import Mode, Settings
from ostinato.resolvers.auth import DEVELOPMENT_TOKEN_S, issue_token
from ostinato.schema.server.security import CONTENT_POLICY
from ostinato.schema.transports.negotiation import MIN_COMPRESSED_BYTES, accepts_gzip
from ostinato.schema.transports.origins import is_loopback

PAGES_FOLDER = Path(__file__).parents[2] / "pages"
CACHE_FOREVER = "public, max-age=31536000, immutable"  # asset names contain a content hash
NO_STORE = "no-store"
REVALIDATE = "no-cache"
COMPRESSED_SUFFIXES: Final = frozenset({".css", ".js", ".svg", ".ttf"})
# All code comes from this server, and no element contains style or script. GraphiQL needs more:
# see `CONTENT_POLICY`.
PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
NO_TOKENS: Final[Mapping[str, object]] = MappingProxyType(
    {"token": None, "users": [], "flakyUrl": None}
)

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Ostinato</title>
<h1>The pages are not built</h1>
<p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend-demo</code>, then reload this page.
<p>The GraphQL API is available at <a href="graphql?query={__typename}">graphql</a>.
"""


class Assets(StaticFiles):
    """Static files whose names contain a content hash; browsers cache them forever."""

    async def check_config(self) -> None:
        """Accept a missing folder; every asset is a 404 before the first build."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type] # passed on
        response.headers["cache-control"] = CACHE_FOREVER
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException:
            return Response(status_code=404, headers={"cache-control": NO_STORE})
        return await _compress(response, scope) if isinstance(response, FileResponse) else response


async def _compress(file: FileResponse, scope: Scope) -> Response:
    """Return the file compressed with gzip, if the client accepts that and it helps."""
    path = Path(file.path)
    if path.suffix not in COMPRESSED_SUFFIXES:
        return file
    file.headers["vary"] = "accept-encoding"
    is_large = int(file.headers["content-length"]) >= MIN_COMPRESSED_BYTES
    if not is_large or not accepts_gzip(Headers(scope=scope).get("accept-encoding")):
        return file
    body = await asyncio.to_thread(_compressed, path)
    kept = {name: file.headers[name] for name in ("cache-control", "etag", "vary")}
    return Response(body, headers={**kept, "content-encoding": "gzip"}, media_type=file.media_type)


@lru_cache(maxsize=256)
def _compressed(path: Path) -> bytes:
    """Return a compressed asset. Its name contains a hash of its content, so it never changes."""
    return gzip.compress(path.read_bytes(), mtime=0)


def page_routes(
    settings: Settings, built: Path = PAGES_FOLDER, *, uses_tokens: bool = True
) -> list[BaseRoute]:
    """Build the routes of the pages in the folder `built`, which may not exist.

    Without tokens, the pages send what the browser sends: the cookies of the application. Their
    links are relative, so that they work under any prefix.
    """

    def page(name: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        file = built / name
        if file.is_file():
            return FileResponse(file, headers={"cache-control": REVALIDATE, **headers})
        return HTMLResponse(NOT_BUILT, status_code=503, headers={"cache-control": NO_STORE})

    def live_page(_request: Request) -> Response:
        return page("index.html", _policy(PAGE_POLICY, settings))

    def graphiql(_request: Request) -> Response:
        return page("graphiql.html", _policy(CONTENT_POLICY, settings))

    def config(request: Request) -> Response:
        headers = {"cache-control": NO_STORE, "vary": "origin, host, sec-fetch-site"}
        return JSONResponse(
            {
                "graphqlPath": "graphql",
                "usesTokens": uses_tokens,
                "signIn": _sign_in(settings) if uses_tokens else None,
                **(_development_tokens(settings, request) if uses_tokens else NO_TOKENS),
            },
            headers=headers,
        )

    return [
        Route("/", live_page),
        *([Route("/graphiql", graphiql)] if settings.allows_introspection else []),
        Route("/config.json", config),
        Mount("/assets", Assets(directory=built / "assets", check_dir=False)),
    ]


def _policy(policy: str, settings: Settings) -> Mapping[str, str]:
    """Return the header with a page's policy. A page that signs users in fetches the tokens from
    the issuer."""
    if settings.oidc_client_id is not None:
        issuer = urlsplit(settings.jwt_issuer or "")
        allowed = f"connect-src 'self' {issuer.scheme}://{issuer.netloc}"
        policy = policy.replace("connect-src 'self'", allowed)
    return {"content-security-policy": policy}


def _sign_in(settings: Settings) -> Mapping[str, object] | None:
    """Return how the pages sign users in, None if users paste a token."""
    if settings.oidc_client_id is None:
        return None
    return {
        "issuer": settings.jwt_issuer,
        "clientId": settings.oidc_client_id,
        "scope": settings.oidc_scope,
    }


def _development_tokens(settings: Settings, request: Request) -> Mapping[str, object]:
    """Return the token of `ostinato dev`, and those of other users, for its pages in a browser on
    this machine.

    `Sec-Fetch-Site` keeps the tokens from an action whose URL is the API's own. A program that
    sets this header gets them.
    """
    given = settings.development_token
    if settings.mode is not Mode.DEVELOPMENT or given is None:
        return NO_TOKENS
    if not is_loopback(request) or request.headers.get("sec-fetch-site") != "same-origin":
        return NO_TOKENS
    ttl_s = min(DEVELOPMENT_TOKEN_S, settings.jwt_max_lifetime_s)
    others = {"bob": (), "admin": (ADMIN,)} if settings.jwt_secret is not None else {}
    users = [{"name": "alice", "token": given.get_secret_value()}]
    for name, roles in others.items():
        users.append({"name": name, "token": issue_token(settings, name, roles, ttl_s)})
    flaky_url = settings.development_flaky_url
    return {"token": users[0]["token"], "users": users, "flakyUrl": flaky_url}
