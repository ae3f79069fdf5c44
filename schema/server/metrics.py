"""The Prometheus endpoint `/metrics`: metrics of this API process and of the cluster."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ostinato.jobs.changefeed import ChangeFeedStats
from ostinato.jobs.cluster_stats import ClusterStats
from ostinato.jobs.errors import Unauthorized, Unavailable
from ostinato.jobs.logs import get_log
from ostinato.resolvers.auth import bearer_token
from ostinato.schema.execution.operation_metrics import OperationMetrics
from ostinato.schema.fanout.broadcast_registry import BroadcastRegistry
from ostinato.schema.server.metric_families import (
    alert_metrics,
    change_feed_metrics,
    client_metrics,
    cluster_metrics,
    function_metrics,
    mongodb_metrics,
)
from ostinato.schema.transports.connections import ConnectionRegistry

CLUSTER_STATS_TIMEOUT_S = 2.0  # below the default scrape timeout of Prometheus, 10 s
HEADERS = {"cache-control": "no-store"}

log = get_log("ostinato.metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSources:
    """The sources of the metrics, read at each scrape."""

    operations: OperationMetrics
    broadcasts: BroadcastRegistry
    connections: ConnectionRegistry
    feed_stats: Callable[[], ChangeFeedStats]
    cluster_stats: Callable[[], Awaitable[ClusterStats]]


def metrics_route(token: SecretStr, sources: MetricSources) -> Route:
    """Build the route `/metrics`, which requires the token."""
    expected = token.get_secret_value().encode()
    process = ProcessCollector(registry=None)

    async def metrics(request: Request) -> Response:
        if not _is_allowed(request, expected):
            headers = {**HEADERS, "www-authenticate": "Bearer"}
            text = "send `Authorization: Bearer <OSTINATO_METRICS_TOKEN>`\n"
            return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED, headers)
        registry = CollectorRegistry()
        registry.register(process)
        try:
            registry.register(_ScrapedMetrics(await _families(sources)))
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE, HEADERS)
        return Response(generate_latest(registry), HTTPStatus.OK, HEADERS, CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", metrics)


class _ScrapedMetrics(Collector):
    """The metrics of one scrape."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _is_allowed(request: Request, expected: bytes) -> bool:
    try:
        given = bearer_token(request.headers.get("authorization"))
    except Unauthorized:
        return False
    return given is not None and hmac.compare_digest(given.encode(), expected)


async def _families(sources: MetricSources) -> Sequence[Metric]:
    own = [
        *change_feed_metrics(sources.feed_stats()),
        *client_metrics(sources.operations, sources.broadcasts, sources.connections),
    ]
    try:
        async with asyncio.timeout(CLUSTER_STATS_TIMEOUT_S):
            cluster_stats = await sources.cluster_stats()
    except Exception as error:  # a driver may raise anything; the other metrics are still served
        log.warning("metrics.incomplete", error=repr(error))
        return [*own, *mongodb_metrics(False)]
    cluster = [
        *cluster_metrics(cluster_stats),
        *alert_metrics(cluster_stats),
        *function_metrics(cluster_stats.functions),
    ]
    return [*own, *mongodb_metrics(True), *cluster]
