"""Assembles the ASGI application of a schema: its routes, middleware and lifespan."""

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
from ostinato.schema.headers import SecurityHeadersMiddleware
from ostinato.schema.health import Check, health_routes
from ostinato.schema.origins import CrossOriginMiddleware
from ostinato.schema.pages import page_routes
from ostinato.schema.transports.execution import ContextFactory, OperationRunner
from ostinato.schema.transports.http import HTTPEndpoint
from ostinato.schema.transports.sockets import ConnectionRegistry
from ostinato.schema.transports.websocket import WebSocketEndpoint

Resources = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDependencies:
    """What an application needs besides its settings."""

    schema: Schema
    create_context: ContextFactory
    """Creates the context of each operation; called only inside `resources`."""
    resources: Resources
    """Opens what the application needs at startup and closes it at shutdown."""
    checks: Mapping[str, Check]
    """The checks of `/readyz`, by name."""
    dead_tasks: Callable[[], list[str]]
    """Returns the long-lived tasks that keep failing; `/healthz` fails if there are any."""
    hub: Callable[[], HubFacts]
    """Returns the hub's counters for `/metrics`; raises Unavailable outside `resources`."""
    figures: Callable[[], Awaitable[Figures]]
    """Reads the cluster metrics for `/metrics`; raises what MongoDB's driver raises."""


def build_app(settings: Settings, parts: AppDependencies) -> Starlette:
    """Build the application; raises ValueError if no key can verify tokens."""
    authenticator = Authenticator(settings)
    runner = OperationRunner(parts.schema, settings, parts.create_context)
    connections = ConnectionRegistry(
        settings.max_sockets_per_user, settings.max_sockets_per_address
    )
    endpoint = WebSocketEndpoint(runner, authenticator, connections, settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with aclosing(authenticator), parts.resources(), aclosing(runner):
            yield
            await connections.drain(settings.drain_timeout_ms / 1_000)

    routes: list[BaseRoute] = [
        Route("/graphql", HTTPEndpoint(runner, authenticator, connections, settings)),
        WebSocketRoute("/graphql", endpoint.serve),
        # Starlette redirects HTTP requests from here; WebSocket clients do not follow redirects.
        WebSocketRoute("/graphql/", endpoint.serve),
        *health_routes(parts.checks, parts.dead_tasks),
        *page_routes(settings),
    ]
    if settings.mode is Mode.DEVELOPMENT:
        routes.append(flaky_route())
    if settings.metrics_token is not None:
        from ostinato.schema.metrics import (  # loads prometheus_client only if needed
            MetricSources,
            metrics_route,
        )

        sources = MetricSources(
            runner=runner, connections=connections, hub=parts.hub, figures=parts.figures
        )
        routes.append(metrics_route(settings.metrics_token, sources))
    middleware = [
        Middleware(SecurityHeadersMiddleware),
        Middleware(CrossOriginMiddleware, settings=settings),
    ]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.connections = connections
    return app
