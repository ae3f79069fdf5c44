"""The ASGI application: its resources, routes, middleware and lifespan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
)
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from strawberry import Schema

from ostinato.jobs.changefeed import ChangeFeedStats
from ostinato.jobs.cluster_stats import ClusterStats
from ostinato.jobs.logs import get_log
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import OnVerified, TokenVerifier
from ostinato.resolvers.revocation_monitor import ReadRevocations, RevocationMonitor, read_none
from ostinato.resolvers.throttle import Spend, Throttles, spend_alone
from ostinato.schema.build import graphql_schema
from ostinato.schema.execution.operation_runner import ContextFactory, OperationRunner
from ostinato.schema.fanout.subscription_runner import (
    OpenSubscription,
    SubscriptionRunner,
    without_limit,
)
from ostinato.schema.server.app_state import AppState, HostResources
from ostinato.schema.server.pages import page_routes
from ostinato.schema.server.security import CrossOriginMiddleware, SecurityHeadersMiddleware
from ostinato.schema.transports.authentication import (
    ApplicationAuthentication,
    Authenticate,
    Authentication,
    TokenAuthentication,
)
from ostinato.schema.transports.connections import ConnectionRegistry
from ostinato.schema.transports.http import HTTPEndpoint
from ostinato.schema.transports.websocket import WebSocketEndpoint

CHECK_TIMEOUT_S = 2.0
FIX = "run `ostinato doctor` with the environment of this process"
OPTIONAL_CHECKS = frozenset({"redis"})
"""Dependencies without which the API still answers; jobs start when they are back."""

Check = Callable[[], Awaitable[object]]
"""Returns if the dependency is usable; raises otherwise."""

log = get_log("ostinato.health")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOptions:
    """What an application that contains the API decides about it."""

    schema: Schema = graphql_schema
    authenticate: Authenticate | None = None
    """None: callers send tokens."""


def create_app(
    settings: Settings, options: MountOptions | None = None, host: HostResources | None = None
) -> Starlette:
    """Build the application; its lifespan connects, or uses what the host has opened.

    Raises ValueError if callers send tokens and no key is set, or if cursors have no key.
    """
    options = options or MountOptions()
    resources = AppState(settings, host)
    dependencies = AppDependencies(
        schema=options.schema,
        authenticate=options.authenticate,
        create_context=resources.create_context,
        resources=resources.open,
        checks={
            "mongo": resources.check_mongo,
            "redis": resources.check_redis,
            "change feed": resources.check_change_feed,
        },
        dead_tasks=resources.dead_tasks,
        feed_stats=resources.feed_stats,
        cluster_stats=resources.cluster_stats,
        on_verified=resources.record_roles,
        open_subscription=resources.open_subscription,
        spend=resources.spend,
        read_revocations=resources.read_revocations,
    )
    return build_app(settings, dependencies)


Resources = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDependencies:
    """The dependencies of the application in addition to its settings."""

    schema: Schema
    create_context: ContextFactory
    """Creates the context of each operation; called only inside `resources`."""
    resources: Resources
    """Opens the resources at startup and closes them at shutdown."""
    checks: Mapping[str, Check]
    """The checks of `/readyz`, by name."""
    dead_tasks: Callable[[], list[str]]
    """Returns the long-lived tasks that keep failing; `/healthz` fails if there are any."""
    feed_stats: Callable[[], ChangeFeedStats]
    """Returns the change feed's counters for `/metrics`; raises Unavailable outside `resources`."""
    cluster_stats: Callable[[], Awaitable[ClusterStats]]
    """Reads the cluster statistics for `/metrics`; raises MongoDB driver errors."""
    authenticate: Authenticate | None = None
    """Authenticates callers instead of tokens."""
    on_verified: OnVerified | None = None
    """Called with each newly verified viewer; only inside `resources`."""
    read_revocations: ReadRevocations = read_none
    """Reads the revoked tokens; called only inside `resources`."""
    open_subscription: OpenSubscription = without_limit
    """Counts an open subscription of a user; only inside `resources`."""
    spend: Spend = spend_alone
    """Reports to the other API processes what users and addresses have spent of their limits."""


def build_app(settings: Settings, dependencies: AppDependencies) -> Starlette:
    """Build the application; raises ValueError if no token key is set."""
    throttles = Throttles(settings, dependencies.spend)
    connections = ConnectionRegistry(settings)
    revocations = RevocationMonitor(dependencies.read_revocations, connections.end_revoked)
    authentication = _authentication(settings, dependencies, throttles, revocations)
    schema, create_context = dependencies.schema, dependencies.create_context
    runner = OperationRunner(schema, settings, create_context, throttles.operations)
    max_results = settings.subscription_buffer
    subscriptions = SubscriptionRunner(runner, max_results, dependencies.open_subscription)
    http = HTTPEndpoint(runner, subscriptions, authentication, connections, settings)
    socket = WebSocketEndpoint(runner, subscriptions, authentication, connections, settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with (
            aclosing(authentication),
            dependencies.resources(),
            revocations.running(),
            aclosing(throttles),
            aclosing(subscriptions),
        ):
            yield
            await connections.drain(settings.drain_timeout_ms / 1_000)

    has_cookies = dependencies.authenticate is not None
    routes: list[BaseRoute] = [
        *_graphql_routes(http, socket),
        *health_routes(dependencies.checks, dependencies.dead_tasks),
        *page_routes(settings, uses_tokens=not has_cookies),
    ]
    if settings.metrics_token is not None:
        sources = (runner, subscriptions, connections, dependencies)
        routes.append(_metrics_route(settings.metrics_token, *sources))
    middleware = [
        Middleware(SecurityHeadersMiddleware),
        Middleware(CrossOriginMiddleware, settings=settings, allow_credentials=has_cookies),
    ]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.connections = connections
    return app


def _authentication(
    settings: Settings,
    dependencies: AppDependencies,
    throttles: Throttles,
    revocations: RevocationMonitor,
) -> Authentication:
    on_verified, is_revoked = dependencies.on_verified, revocations.is_revoked
    failed = throttles.failed_tokens
    if dependencies.authenticate is not None:
        return ApplicationAuthentication(
            dependencies.authenticate, settings, failed, is_revoked, on_verified
        )
    return TokenAuthentication(TokenVerifier(settings, on_verified, failed, is_revoked))


def _graphql_routes(http: HTTPEndpoint, socket: WebSocketEndpoint) -> list[BaseRoute]:
    # Starlette redirects HTTP requests with a final slash; WebSocket clients do not follow.
    paths = ("/graphql", "/graphql/")
    return [Route(paths[0], http), *(WebSocketRoute(path, socket.serve) for path in paths)]


def _metrics_route(
    token: SecretStr,
    runner: OperationRunner,
    subscriptions: SubscriptionRunner,
    connections: ConnectionRegistry,
    dependencies: AppDependencies,
) -> Route:
    from ostinato.schema.server.metrics import (  # loads prometheus_client only when used
        MetricSources,
        metrics_route,
    )

    sources = MetricSources(
        operations=runner.metrics,
        broadcasts=subscriptions.broadcasts,
        connections=connections,
        feed_stats=dependencies.feed_stats,
        cluster_stats=dependencies.cluster_stats,
    )
    return metrics_route(token, sources)


def health_routes(checks: Mapping[str, Check], dead_tasks: Callable[[], list[str]]) -> list[Route]:
    """Build `/healthz`, which does no I/O, and `/readyz`, which runs the checks.

    If only OPTIONAL_CHECKS fail, `/readyz` responds with 200 and the status `degraded`.
    `dead_tasks` returns the names of long-lived tasks that keep failing.
    """

    async def healthz(_request: Request) -> JSONResponse:
        if dead := dead_tasks():
            body = {"status": "failed", "tasks": dead}
            return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> JSONResponse:
        passed = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
        results = {name: "ok" if ok else "failed" for name, ok in zip(checks, passed, strict=True)}
        failed = {name for name, ok in zip(checks, passed, strict=True) if not ok}
        if failed - OPTIONAL_CHECKS:
            body = {"status": "unavailable", "checks": results}
            return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "degraded" if failed else "ok", "checks": results})

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:  # a driver may raise anything; the error is logged
        log.warning("health.failed", check=name, error=repr(error), fix=FIX)
        return False
    return True
