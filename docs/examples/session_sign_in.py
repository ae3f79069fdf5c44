"""Ostinato behind the application's own sign-in: a session cookie instead of tokens.

OSTINATO_CURSOR_SECRET=… uvicorn docs.examples.session_sign_in:app
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request, Response
from starlette.requests import HTTPConnection

from ostinato import Ostinato, Viewer

COOKIE = "session"
SESSION_TIME = timedelta(hours=8)
sessions: dict[str, Viewer] = {}
"""The open sessions; an application stores them in its database."""


async def authenticate(connection: HTTPConnection, _params: Mapping[str, object]) -> Viewer | None:
    """Return the user of the session that the browser's cookie names."""
    return sessions.get(connection.cookies.get(COOKIE, ""))


ostinato = Ostinato()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ostinato:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ostinato", ostinato.asgi(authenticate=authenticate))


@app.post("/sign-in/{user}")
async def sign_in(user: str, response: Response) -> None:
    """Open a session; a real application checks a password first."""
    session, now = secrets.token_urlsafe(), datetime.now(UTC)
    roles = frozenset({"admin"}) if user == "root" else frozenset[str]()
    sessions[session] = Viewer(
        id=user, roles=roles, issued_at=now, expires_at=now + SESSION_TIME, token_id=session
    )
    response.set_cookie(COOKIE, session, httponly=True, samesite="lax")


@app.post("/sign-out")
async def sign_out(request: Request, response: Response) -> None:
    """End the session."""
    sessions.pop(request.cookies.get(COOKIE, ""), None)
    response.delete_cookie(COOKIE)
