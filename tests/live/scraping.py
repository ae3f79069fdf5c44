"""An API server for tests of `/metrics`, and a client of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.cluster_stats import ClusterStatsReader
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer, issue_token
from ostinato.resolvers.context import RequestContext
from ostinato.schema.build import graphql_schema
from ostinato.schema.server.app import AppDependencies, build_app
from tests.live.serving import served
from tests.processes import TLS

TOKEN: Final = "a-token-for-prometheus-of-40-bytes-01234"
TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraper:
    """A client that reads `/metrics` like Prometheus, and runs operations."""

    url: str
    settings: Settings
    reader: ClusterStatsReader | None = None
    """The reader of the API, if it runs in this process."""

    async def get(self, authorization: str | None = f"Bearer {TOKEN}") -> httpx.Response:
        headers = {} if authorization is None else {"authorization": authorization}
        async with httpx.AsyncClient(trust_env=False, verify=TLS, timeout=TIMEOUT_S) as client:
            return await client.get(f"{self.url}/metrics", headers=headers)

    async def scrape(self) -> dict[str, float]:
        """Return each sample by its name and labels, as in Prometheus' text format."""
        response = await self.get()
        assert response.status_code == 200, response.text
        families = text_string_to_metric_families(response.text)
        samples = [sample for family in families for sample in family.samples]
        return {_sample_name(sample.name, sample.labels): sample.value for sample in samples}

    async def metric(self, name: str) -> float:
        """Return one of Ostinato's metrics, 0 if it is missing."""
        return (await self.scrape()).get(f"ostinato_{name}", 0.0)

    async def execute(
        self, query: str, headers: Mapping[str, str] | None = None, **variables: Any
    ) -> Any:
        """Run an operation as ann."""
        headers = {
            "authorization": f"Bearer {issue_token(self.settings, 'ann')}",
            **(headers or {}),
        }
        body = {"query": query, "variables": variables}
        async with httpx.AsyncClient(trust_env=False, verify=TLS, timeout=TIMEOUT_S) as client:
            return (await client.post(f"{self.url}/graphql", headers=headers, json=body)).json()


@asynccontextmanager
async def scraped(engine: Engine, feed: ChangeFeed, **changes: Any) -> AsyncIterator[Scraper]:
    """Serve the API with the engine and change feed of the test."""
    secret = {"metrics_token": SecretStr(TOKEN)}
    settings = engine.settings.model_copy(update=secret | changes)

    def create_context(viewer: Viewer | None) -> RequestContext:
        return RequestContext(caller=viewer, engine=engine, feed=feed)

    async with ClusterStatsReader(engine, feed) as reader:
        parts = AppDependencies(
            schema=graphql_schema,
            create_context=create_context,
            resources=_no_resources,
            checks={},
            dead_tasks=list,
            feed_stats=lambda: feed.stats,
            cluster_stats=reader.read,
        )
        async with served(build_app(settings, parts), settings) as port:
            yield Scraper(url=f"http://127.0.0.1:{port}", settings=settings, reader=reader)


@asynccontextmanager
async def _no_resources() -> AsyncIterator[None]:
    yield


def _sample_name(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
