"""Serves the built pages: the live page, GraphiQL, their assets, and what they must know."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ostinato.jobs.settings import Mode, Settings
from ostinato.schema.origins import is_loopback

BUILT = Path(__file__).parent.parent / "pages"
FOREVER = "public, max-age=31536000, immutable"  # an asset's name holds the hash of its content
NEVER = "no-store"
REVALIDATE = "no-cache"

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Ostinato</title>
<h1>The pages are not built</h1>
<p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend-demo</code>, and load this page again.
<p>The GraphQL API is at <a href="/graphql?query={__typename}">/graphql</a> all the same.
"""


class Assets(StaticFiles):
    """Hashed files, kept by browsers for good."""

    async def check_config(self) -> None:
        """Accept a folder that is not there: before a build, every asset is simply not found."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type] # passed on
        response.headers["cache-control"] = FOREVER
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException:
            return Response(status_code=404, headers={"cache-control": NEVER})


def page_routes(settings: Settings, built: Path = BUILT) -> list[BaseRoute]:
    """Build the routes of the pages in the folder `built`, which may not exist yet."""

    def page(name: str) -> Response:
        file = built / name
        if file.is_file():
            return FileResponse(file, headers={"cache-control": REVALIDATE})
        return HTMLResponse(NOT_BUILT, status_code=503, headers={"cache-control": NEVER})

    def live_page(_request: Request) -> Response:
        return page("index.html")

    def graphiql(_request: Request) -> Response:
        return page("graphiql.html")

    def config(request: Request) -> Response:
        token = _development_token(settings, request)
        headers = {"cache-control": NEVER, "vary": "origin, host, sec-fetch-site"}
        return JSONResponse({"graphqlPath": "/graphql", "token": token}, headers=headers)

    return [
        Route("/", live_page),
        Route("/graphiql", graphiql),
        Route("/config.json", config),
        Mount("/assets", Assets(directory=built / "assets", check_dir=False)),
    ]


def _development_token(settings: Settings, request: Request) -> str | None:
    """Return the token that `dev` made, to pages of this machine alone."""
    if settings.mode is not Mode.DEVELOPMENT or settings.development_token is None:
        return None
    if not is_loopback(request) or request.headers.get("sec-fetch-site") in {
        "cross-site",
        "same-site",
    }:
        return None
    return settings.development_token.get_secret_value()
