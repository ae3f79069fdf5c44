"""Answers `/metrics`: what Prometheus asks of one API process, and through it of all."""

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

from ostinato.jobs.errors import Unauthorized, Unavailable
from ostinato.jobs.figures import Figures
from ostinato.jobs.hub import HubFacts
from ostinato.jobs.logs import get_log
from ostinato.resolvers.auth import bearer_token
from ostinato.schema.metric_families import of_answers, of_clients, of_hub, of_installation
from ostinato.schema.transports.execution import OperationRunner
from ostinato.schema.transports.sockets import Sockets

FIGURES_TIMEOUT_S = 2.0  # Prometheus gives up after 10 s by default, and would have nothing
HEADERS = {"cache-control": "no-store"}

log = get_log("ostinato.metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the figures are of; asked at each scrape."""

    runner: OperationRunner
    sockets: Sockets
    hub: Callable[[], HubFacts]
    figures: Callable[[], Awaitable[Figures]]


def metrics_route(token: SecretStr, watched: Watched) -> Route:
    """Build `/metrics`, for whoever sends the token."""
    expected = token.get_secret_value().encode()
    process = ProcessCollector(registry=None)

    async def metrics(request: Request) -> Response:
        if not _is_allowed(request, expected):
            headers = {**HEADERS, "www-authenticate": "Bearer"}
            text = "send the token of OSTINATO_METRICS_TOKEN\n"
            return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED, headers)
        registry = CollectorRegistry()
        registry.register(process)
        try:
            registry.register(_Collected(await _families(watched)))
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE, HEADERS)
        return Response(generate_latest(registry), HTTPStatus.OK, HEADERS, CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", metrics)


class _Collected(Collector):
    """What was read for one scrape."""

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


async def _families(watched: Watched) -> Sequence[Metric]:
    own = [*of_hub(watched.hub()), *of_clients(watched.runner, watched.sockets)]
    try:
        async with asyncio.timeout(FIGURES_TIMEOUT_S):
            figures = await watched.figures()
    except Exception as error:  # whatever a driver raises: the rest is worth telling without it
        log.warning("metrics.incomplete", error=repr(error))
        return [*own, *of_answers(False)]
    return [*own, *of_answers(True), *of_installation(figures)]
