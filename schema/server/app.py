"""The ASGI application: its resources, routes, middleware and lifespan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
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

from ostinato.jobs.arq_queue.shared_buckets import Spending
from ostinato.jobs.changefeed import ChangeFeed, ChangeFeedStats
from ostinato.jobs.cluster_stats import ClusterStats, ClusterStatsReader
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import Unavailable
from ostinato.jobs.logs import get_log
from ostinato.jobs.revocations import Revocation
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Authenticator, OnVerified, Viewer
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.revocation_monitor import ReadRevocations, RevocationMonitor, read_none
from ostinato.resolvers.throttle import Spend, Throttles, spend_alone
from ostinato.schema.build import graphql_schema
from ostinato.schema.execution.operation_runner import ContextFactory, OperationRunner
from ostinato.schema.fanout.subscription_runner import (
    OpenSubscription,
    SubscriptionRunner,
    without_limit,
)
from ostinato.schema.server.pages import page_routes
from ostinato.schema.server.security import CrossOriginMiddleware, SecurityHeadersMiddleware
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
class _OpenResources:
    """The open resources of a running application."""

    engine: Engine
    feed: ChangeFeed
    cluster_stats: ClusterStatsReader


class AppState:
    """The resources of the application; access raises Unavailable unless they are open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._current: _OpenResources | None = None

    @property
    def current(self) -> _OpenResources:
        if self._current is None:
            raise Unavailable("the server is starting or stopping: try again")
        return self._current

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with (
            Engine.open(self._settings) as engine,
            ChangeFeed(engine.mongo, self._settings) as feed,
            ClusterStatsReader(engine, feed) as cluster_stats,
        ):
            self._current = _OpenResources(engine=engine, feed=feed, cluster_stats=cluster_stats)
            await engine.notifier.warn_if_unreachable()
            try:
                yield
            finally:
                self._current = None

    def create_context(self, viewer: Viewer | None) -> RequestContext:
        return RequestContext(caller=viewer, engine=self.current.engine, feed=self.current.feed)

    async def record_roles(self, viewer: Viewer) -> None:
        """Store the roles of a verified token, which the ticks of the viewer's crons need."""
        owners = self.current.engine.owners
        await owners.record_roles(viewer.id, viewer.roles, viewer.issued_at)

    def open_subscription(self, user: str) -> AbstractContextManager[None]:
        return self.current.engine.quotas.subscriptions.open(user)

    async def check_mongo(self) -> None:
        await self.current.engine.mongo.ping()

    async def check_redis(self) -> None:
        await self.current.engine.notifier.ping()

    async def check_change_feed(self) -> None:
        if not self.current.feed.following:
            raise Unavailable("the change stream is not connected: see the log")

    async def spend(self, spendings: Sequence[Spending]) -> Sequence[float]:
        return await self.current.engine.shared_buckets.spend(spendings)

    async def read_revocations(self) -> Sequence[Revocation]:
        return await self.current.engine.revocations.find_all()

    def dead_tasks(self) -> list[str]:
        return ["change feed"] if self._current is not None and self._current.feed.is_dead else []

    def feed_stats(self) -> ChangeFeedStats:
        return self.current.feed.stats

    async def cluster_stats(self) -> ClusterStats:
        return await self.current.cluster_stats.read()


def create_app(settings: Settings) -> Starlette:
    """Build the application; its lifespan connects. Raises ValueError if no token key is set."""
    resources = AppState(settings)
    dependencies = AppDependencies(
        schema=graphql_schema,
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
    on_verified: OnVerified | None = None
    """Called with the viewer of each newly verified token; only inside `resources`."""
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
    authenticator = Authenticator(
        settings, dependencies.on_verified, throttles.failed_tokens, revocations.is_revoked
    )
    schema, create_context = dependencies.schema, dependencies.create_context
    runner = OperationRunner(schema, settings, create_context, throttles.operations)
    max_results = settings.subscription_buffer
    subscriptions = SubscriptionRunner(runner, max_results, dependencies.open_subscription)
    http = HTTPEndpoint(runner, subscriptions, authenticator, connections, settings)
    socket = WebSocketEndpoint(runner, subscriptions, authenticator, connections, settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with (
            aclosing(authenticator),
            dependencies.resources(),
            revocations.running(),
            aclosing(throttles),
            aclosing(subscriptions),
        ):
            yield
            await connections.drain(settings.drain_timeout_ms / 1_000)

    routes: list[BaseRoute] = [
        *_graphql_routes(http, socket),
        *health_routes(dependencies.checks, dependencies.dead_tasks),
        *page_routes(settings),
    ]
    if settings.metrics_token is not None:
        sources = (runner, subscriptions, connections, dependencies)
        routes.append(_metrics_route(settings.metrics_token, *sources))
    middleware = [
        Middleware(SecurityHeadersMiddleware),
        Middleware(CrossOriginMiddleware, settings=settings),
    ]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.connections = connections
    return app


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
