"""Makes the API's application out of settings: the engine, the hub, and the schema around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import Unavailable
from ostinato.jobs.figures import Figures, FiguresReader
from ostinato.jobs.hub import Hub, HubFacts
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.changes import Leg
from ostinato.resolvers.request import RequestContext
from ostinato.schema.build import graphql_schema
from ostinato.schema.routes import Parts, assemble


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """What is open between the application's start and its end."""

    engine: Engine
    hub: Hub
    figures: FiguresReader


class _Resources:
    """Holds what is open; asking for it before the start or after the end is Unavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._now: _Open | None = None

    @property
    def now(self) -> _Open:
        if self._now is None:
            raise Unavailable("the server is starting or stopping: try again")
        return self._now

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with (
            Engine.open(self._settings) as engine,
            Hub(engine.mongo, self._settings) as hub,
            FiguresReader(engine, hub) as figures,
        ):
            self._now = _Open(engine=engine, hub=hub, figures=figures)
            await engine.doorbell.warn_if_lost()
            try:
                yield
            finally:
                self._now = None

    def context_of(self, viewer: Viewer | None, leg: Leg) -> RequestContext:
        return RequestContext(caller=viewer, engine=self.now.engine, hub=self.now.hub, leg=leg)

    async def check_mongo(self) -> None:
        await self.now.engine.mongo.ping()

    async def check_redis(self) -> None:
        await self.now.engine.doorbell.ping()

    async def check_hub(self) -> None:
        if not self.now.hub.following:
            raise Unavailable("the hub does not follow the changes: the log says why")

    def dead_tasks(self) -> list[str]:
        return ["hub"] if self._now is not None and self._now.hub.is_dead else []

    def hub_facts(self) -> HubFacts:
        return self.now.hub.facts

    async def figures(self) -> Figures:
        return await self.now.figures.figures()


def create_app(settings: Settings) -> Starlette:
    """Build the application; its lifespan connects. Raises ValueError without a token's key."""
    resources = _Resources(settings)
    parts = Parts(
        schema=graphql_schema,
        context_of=resources.context_of,
        resources=resources.open,
        checks={
            "mongo": resources.check_mongo,
            "redis": resources.check_redis,
            "hub": resources.check_hub,
        },
        dead_tasks=resources.dead_tasks,
        hub=resources.hub_facts,
        figures=resources.figures,
    )
    return assemble(settings, parts)
