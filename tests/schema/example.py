"""A small schema and its application, for tests of the transports without an engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import strawberry
from starlette.applications import Starlette
from strawberry.scalars import JSON

from ostinato.jobs.errors import BadRequest, NotFound, Unauthorized, Unavailable
from ostinato.jobs.revocations import Revocation
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.schema.server.app import AppDependencies, Check, build_app
from ostinato.schema.transports.authentication import Authenticate


@dataclass
class Probe:
    """Observes and controls the running application."""

    ticks: asyncio.Condition = field(default_factory=asyncio.Condition)
    tick: int = 0
    open_streams: int = 0
    mutations: int = 0
    checks: dict[str, Check] = field(default_factory=dict)
    dead_tasks: list[str] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)

    def reset(self) -> None:
        self.tick = self.mutations = 0
        self.checks.clear()
        self.dead_tasks.clear()
        self.revocations.clear()

    async def publish(self) -> None:
        async with self.ticks:
            self.tick += 1
            self.ticks.notify_all()

    async def tick_after(self, seen: int) -> int:
        async with self.ticks:
            await self.ticks.wait_for(lambda: self.tick > seen)
        return self.tick


@dataclass
class Context:
    """The context of the example's resolvers."""

    probe: Probe
    caller: Viewer | None

    @property
    def viewer(self) -> Viewer:
        if self.caller is None:
            raise Unauthorized("Sign in")
        return self.caller


Info = strawberry.Info[Context, None]


@strawberry.type
class Item:
    name: str = "an item"

    @strawberry.field
    def item(self) -> "Item":
        return Item()

    @strawberry.field
    async def never(self) -> str | None:
        await asyncio.Event().wait()
        return "never"


@strawberry.input
class ItemInput:
    name: str
    sizes: list[int] = strawberry.field(default_factory=list)


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str | None:
        return f"Hello {name}"

    @strawberry.field
    def me(self, info: Info) -> str | None:
        return info.context.viewer.id

    @strawberry.field
    def item(self) -> Item | None:
        return Item()

    @strawberry.field
    def echo(self, value: JSON) -> JSON | None:
        return value

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("the password is hunter2")

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound("You have no such thing")

    @strawberry.field
    def bad(self) -> str | None:
        raise BadRequest.at("input", "name", message="too short", code="too_small")

    @strawberry.field
    def unencodable(self) -> JSON | None:
        return JSON({"value": object()})

    @strawberry.field
    def large(self, size: int) -> str | None:
        return "x" * size

    @strawberry.field
    async def endless(self) -> str | None:
        await asyncio.Event().wait()
        return "never"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def add(self, info: Info, input: ItemInput) -> str | None:  # noqa: A002 # the API's name
        info.context.probe.mutations += 1
        return input.name

    @strawberry.mutation
    async def stall(self, info: Info) -> str | None:
        info.context.probe.mutations += 1
        await asyncio.Event().wait()
        return "never"


def _raise_not_found() -> list[int]:
    raise NotFound("You have no such thing")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info) -> AsyncGenerator[int | None, None]:
        probe = info.context.probe
        probe.open_streams += 1
        try:
            seen = probe.tick
            yield seen
            while True:
                seen = await probe.tick_after(seen)
                yield seen
        finally:
            probe.open_streams -= 1

    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int | None, None]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def flood(self, size: int = 10_000) -> AsyncGenerator[str | None, None]:
        while True:
            yield "x" * size

    @strawberry.subscription
    async def breaks(self, unavailable: bool = False) -> AsyncGenerator[int | None, None]:
        yield 1
        raise Unavailable("The history is unavailable") if unavailable else RuntimeError("hunter2")

    @strawberry.subscription
    async def items(self) -> AsyncGenerator[Item | None, None]:
        yield Item()

    @strawberry.subscription
    async def hidden(self) -> AsyncGenerator[int | None, None]:
        for number in _raise_not_found():
            yield number


example_schema = strawberry.Schema(Query, Mutation, Subscription)


def example_app(
    settings: Settings, probe: Probe, authenticate: Authenticate | None = None
) -> Starlette:
    """Build the application around the example schema."""

    @asynccontextmanager
    async def no_resources() -> AsyncIterator[None]:
        yield

    def create_context(viewer: Viewer | None) -> Context:
        return Context(probe, viewer)

    async def read_revocations() -> Sequence[Revocation]:
        return tuple(probe.revocations)

    def unavailable() -> NoReturn:
        raise Unavailable("not part of the example")

    parts = AppDependencies(
        schema=example_schema,
        create_context=create_context,
        resources=no_resources,
        checks=probe.checks,
        dead_tasks=lambda: probe.dead_tasks,
        feed_stats=unavailable,
        cluster_stats=unavailable,
        read_revocations=read_revocations,
        authenticate=authenticate,
    )
    return build_app(settings, parts)
