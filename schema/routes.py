"""Assembles the ASGI application around a schema: its routes, its middleware, its lifespan."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from strawberry import Schema

from ostinato.jobs.figures import Figures
from ostinato.jobs.hub import HubFacts
from ostinato.jobs.settings import Mode, Settings
from ostinato.resolvers.auth import Authenticator
from ostinato.schema.flaky import flaky_route
from ostinato.schema.headers import SecurityHeaders
from ostinato.schema.health import Check, health_routes
from ostinato.schema.origins import CrossOrigin
from ostinato.schema.pages import page_routes
from ostinato.schema.transports.execution import ContextOf, OperationRunner
from ostinato.schema.transports.http import HTTPEndpoint
from ostinato.schema.transports.sockets import Sockets
from ostinato.schema.transports.websocket import WebSocketEndpoint

Resources = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an application is made of, besides its settings."""

    schema: Schema
    context_of: ContextOf
    """Makes what resolvers get, for each run of an operation; called only inside `resources`."""
    resources: Resources
    """Opens what the application needs at its start and closes it at its end."""
    checks: Mapping[str, Check]
    """What `/readyz` asks, by name."""
    dead_tasks: Callable[[], list[str]]
    """Names what `/healthz` fails for: long-lived tasks that only a new process may help."""
    hub: Callable[[], HubFacts]
    """What `/metrics` tells of the hub; raises Unavailable outside `resources`."""
    figures: Callable[[], Awaitable[Figures]]
    """What `/metrics` tells of the installation; raises what MongoDB's driver does."""


def assemble(settings: Settings, parts: Parts) -> Starlette:
    """Build the application; raises ValueError when no key could verify a token."""
    authenticator = Authenticator(settings)
    runner = OperationRunner(parts.schema, settings, parts.context_of)
    sockets = Sockets(settings.max_sockets_per_user, settings.max_sockets_per_address)
    endpoint = WebSocketEndpoint(runner, authenticator, sockets, settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with aclosing(authenticator), parts.resources(), aclosing(runner):
            yield
            await sockets.drain(settings.drain_timeout_ms / 1_000)

    routes: list[BaseRoute] = [
        Route("/graphql", HTTPEndpoint(runner, authenticator, sockets, settings)),
        WebSocketRoute("/graphql", endpoint.serve),
        # HTTP is redirected from here; WebSocket clients do not follow a redirect.
        WebSocketRoute("/graphql/", endpoint.serve),
        *health_routes(parts.checks, parts.dead_tasks),
        *page_routes(settings),
    ]
    if settings.mode is Mode.DEVELOPMENT:
        routes.append(flaky_route())
    if settings.metrics_token is not None:
        from ostinato.schema.metrics import (  # who does not ask need not load it
            Watched,
            metrics_route,
        )

        watched = Watched(runner=runner, sockets=sockets, hub=parts.hub, figures=parts.figures)
        routes.append(metrics_route(settings.metrics_token, watched))
    middleware = [Middleware(SecurityHeaders), Middleware(CrossOrigin, settings=settings)]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.sockets = sockets
    return app
