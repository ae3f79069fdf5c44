"""Fixtures for tests of the API: an engine, clients and documents."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import GraphQLError

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext
from ostinato.schema.build import graphql_schema
from ostinato.schema.execution.operation_runner import OperationRunner
from tests.api.documents import Documents

FUNCTIONS = "tests.api.functions"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The response to a client, with shortcuts for tests."""

    data: dict[str, Any]
    errors: list[GraphQLError] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        return [str((error.extensions or {}).get("code", error.message)) for error in self.errors]

    @property
    def code(self) -> str | None:
        """Return the code of the only error, None without an error."""
        assert len(self.errors) <= 1, self.errors
        return self.codes[0] if self.errors else None

    @property
    def message(self) -> str:
        return self.errors[0].message

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Return the issues of the input, in the order found."""
        issues: list[dict[str, Any]] = (self.errors[0].extensions or {})["issues"]
        return issues

    @property
    def paths(self) -> list[list[str | int]]:
        return [issue["path"] for issue in self.issues]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of the API."""

    context: RequestContext

    async def __call__(self, document: str, **variables: Any) -> Answer:
        result = await graphql_schema.execute(
            document, variable_values=variables, context_value=self.context
        )
        return Answer(data=result.data or {}, errors=list(result.errors or ()))

    async def get(self, document: str, **variables: Any) -> Any:
        """Return the value of the only root field; fail on errors."""
        answer = await self(document, **variables)
        assert not answer.errors, answer.errors
        (value,) = answer.data.values()
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Creates clients of one engine."""

    engine: Engine
    feed: ChangeFeed

    def of(self, name: str, *roles: str) -> Client:
        return self._client(Viewer(id=name, roles=frozenset(roles)))

    def anonymous(self) -> Client:
        return self._client(None)

    def _client(self, viewer: Viewer | None) -> Client:
        context = RequestContext(caller=viewer, engine=self.engine, feed=self.feed)
        return Client(context=context)


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"functions": (FUNCTIONS,)})


@pytest.fixture
async def engine(api_settings: Settings) -> AsyncIterator[Engine]:
    async with Engine.open(api_settings) as engine:
        yield engine


@pytest.fixture
async def clients(engine: Engine) -> AsyncIterator[Clients]:
    async with ChangeFeed(engine.mongo, engine.settings) as feed:
        yield Clients(engine=engine, feed=feed)


@pytest.fixture
async def runner(engine: Engine, clients: Clients) -> OperationRunner:
    """Return the runner of operations, as the API's transports use it."""
    return OperationRunner(
        graphql_schema,
        engine.settings,
        lambda viewer: RequestContext(caller=viewer, engine=engine, feed=clients.feed),
    )


@pytest.fixture
def ann(clients: Clients) -> Client:
    """Return a user without roles."""
    return clients.of("ann")


@pytest.fixture
def bob(clients: Clients) -> Client:
    """Return another user without roles."""
    return clients.of("bob")


@pytest.fixture
def admin(clients: Clients) -> Client:
    return clients.of("root", "admin")


@pytest.fixture
def documents(engine: Engine) -> Documents:
    return Documents(engine.mongo)
