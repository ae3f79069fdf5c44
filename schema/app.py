"""Creates the API's application from settings: the engine, the hub and the GraphQL schema."""

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
from ostinato.schema.routes import AppDependencies, build_app


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenResources:
    """What is open while the application is running."""

    engine: Engine
    hub: Hub
    figures: FiguresReader


class AppState:
    """Opens and provides the resources; raises Unavailable unless they are open."""

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
            Hub(engine.mongo, self._settings) as hub,
            FiguresReader(engine, hub) as figures,
        ):
            self._current = _OpenResources(engine=engine, hub=hub, figures=figures)
            await engine.notifier.warn_if_unreachable()
            try:
                yield
            finally:
                self._current = None

    def create_context(self, viewer: Viewer | None, leg: Leg) -> RequestContext:
        return RequestContext(
            caller=viewer, engine=self.current.engine, hub=self.current.hub, leg=leg
        )

    async def check_mongo(self) -> None:
        await self.current.engine.mongo.ping()

    async def check_redis(self) -> None:
        await self.current.engine.notifier.ping()

    async def check_hub(self) -> None:
        if not self.current.hub.following:
            raise Unavailable("the change stream is not connected: see the log")

    def dead_tasks(self) -> list[str]:
        return ["hub"] if self._current is not None and self._current.hub.is_dead else []

    def hub_facts(self) -> HubFacts:
        return self.current.hub.facts

    async def figures(self) -> Figures:
        return await self.current.figures.figures()


def create_app(settings: Settings) -> Starlette:
    """Build the application; its lifespan connects. Raises ValueError if no token key is set."""
    resources = AppState(settings)
    parts = AppDependencies(
        schema=graphql_schema,
        create_context=resources.create_context,
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
    return build_app(settings, parts)
