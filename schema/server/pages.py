"""The built web pages: the live page, GraphiQL, their assets and their configuration."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ostinato.jobs.settings import Mode, Settings
from ostinato.schema.transports.origins import is_loopback

PAGES_FOLDER = Path(__file__).parents[2] / "pages"
CACHE_FOREVER = "public, max-age=31536000, immutable"  # asset names contain a content hash
NO_STORE = "no-store"
REVALIDATE = "no-cache"

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
            return await super().get_response(path, scope)
        except HTTPException:
            return Response(status_code=404, headers={"cache-control": NO_STORE})


def page_routes(
    settings: Settings, built: Path = PAGES_FOLDER, *, uses_tokens: bool = True
) -> list[BaseRoute]:
    """Build the routes of the pages in the folder `built`, which may not exist.

    Without tokens, the pages send what the browser sends: the cookies of the application. Their
    links are relative, so that they work under any prefix.
    """

    def page(name: str) -> Response:
        file = built / name
        if file.is_file():
            return FileResponse(file, headers={"cache-control": REVALIDATE})
        return HTMLResponse(NOT_BUILT, status_code=503, headers={"cache-control": NO_STORE})

    def live_page(_request: Request) -> Response:
        return page("index.html")

    def graphiql(_request: Request) -> Response:
        return page("graphiql.html")

    def config(request: Request) -> Response:
        token = _development_token(settings, request)
        headers = {"cache-control": NO_STORE, "vary": "origin, host, sec-fetch-site"}
        return JSONResponse(
            {"graphqlPath": "graphql", "token": token, "usesTokens": uses_tokens}, headers=headers
        )

    return [
        Route("/", live_page),
        *([Route("/graphiql", graphiql)] if settings.allows_introspection else []),
        Route("/config.json", config),
        Mount("/assets", Assets(directory=built / "assets", check_dir=False)),
    ]


def _development_token(settings: Settings, request: Request) -> str | None:
    """Return the token of `ostinato dev` for its pages in a browser on this machine.

    `Sec-Fetch-Site` keeps the token from an action whose URL is the API's own. A program that sets
    this header gets the token.
    """
    if settings.mode is not Mode.DEVELOPMENT or settings.development_token is None:
        return None
    if not is_loopback(request) or request.headers.get("sec-fetch-site") != "same-origin":
        return None
    return settings.development_token.get_secret_value()
