"""What all verbs of the Python client use: its settings, its engine and its change feed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypedDict, TypeVar, Unpack

from pydantic import ConfigDict, SecretStr, create_model

from ostinato.client.options import require_owner
from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.doctor import find_mongo_problem
from ostinato.jobs.end_waiter import EndWaiter
from ostinato.jobs.engine import Engine, to_client_error
from ostinato.jobs.errors import BadRequest, Unavailable, require_range
from ostinato.jobs.ids import new_id
from ostinato.jobs.job_logs import LogLine, place_of
from ostinato.jobs.logs import log_through_standard_library
from ostinato.jobs.paging import PagePosition, Window
from ostinato.jobs.settings import Settings
from ostinato.resolvers.audit import MutationCall, run_audited
from ostinato.resolvers.context import ApplicationContext

T = TypeVar("T")

MAX_PAGE_SIZE: Final = 1_000
MAX_RING_EVENTS: Final = 5_000  # 26 MiB; older changes are read from MongoDB again
NOT_OPEN: Final = (
    "Ostinato is not open: enter `async with ostinato:` in the lifespan of your application"
)
OWN_CURSORS: Final = SecretStr("cursors of a Python client without secrets")


class Listed(Protocol):
    """An object of a list."""

    @property
    def id(self) -> str: ...


class OpenOptions(TypedDict, total=False):
    """Settings that are usually passed in code; the others come from `OSTINATO_…` variables."""

    mongo_url: str
    redis_url: str
    redis_prefix: str
    database: str
    app_database: str | None
    """The application's database, if the process starts batches over its collections."""
    functions: tuple[str, ...]
    """Modules with functions, to import at the start."""


OPTION_FIELDS: Final[dict[str, Any]] = {
    name: (Settings.model_fields[name].annotation, Settings.model_fields[name])
    for name in OpenOptions.__annotations__
}
VALID_OPTIONS: Final = create_model(  # a copy of the settings would not be validated
    "ValidOptions", __config__=ConfigDict(hide_input_in_errors=True), **OPTION_FIELDS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The resources of an open client."""

    engine: Engine
    ends: EndWaiter
    feed: ChangeFeed
    resources: AsyncExitStack
    """Closed with the client."""


class BaseClient:
    """A client without verbs, open during `async with`; one event loop uses it."""

    def __init__(self, settings: Settings | None = None, **options: Unpack[OpenOptions]) -> None:
        """Read the settings; nothing is connected before `async with`.

        Options take precedence over `settings`, or over the `OSTINATO_…` variables if there are no
        `settings`. Redis is optional: without it, jobs start up to a second later. Raises
        BadRequest for an unknown option, and ValidationError for invalid values.
        """
        valid = _validate_options(options)
        base = Settings(**options) if settings is None else settings
        self._configured = base.model_copy(update=valid)
        self._opened: Opened | None = None
        self._feed_lock = asyncio.Lock()
        self._is_following = False

    @classmethod
    def open(cls, settings: Settings | None = None, **options: Unpack[OpenOptions]) -> Self:
        """Return a client for `async with`; see the constructor."""
        return cls(settings, **options)

    async def __aenter__(self) -> Self:
        """Connect to MongoDB.

        Raises RuntimeError unless MongoDB is a replica set, or if the client is already open, and
        Unavailable, with the cause and the setting to correct.
        """
        if self._opened is not None:
            raise RuntimeError("Ostinato is already open: enter `async with` once per process")
        log_through_standard_library()
        async with AsyncExitStack() as resources:
            resources.callback(self._forget)
            settings = self._settings_to_open()
            opening = Engine.open(settings, f"ostinato-client-{new_id()}")
            try:
                engine = await call(resources.enter_async_context(opening))
            except Unavailable as error:
                raise Unavailable(await find_mongo_problem(settings) or str(error)) from error
            self._opened = Opened(
                engine=engine,
                ends=EndWaiter(engine.reads),
                feed=ChangeFeed(engine.mongo, settings),
                resources=resources,
            )
            await self._open_more(self._opened)
            self._opened = replace(self._opened, resources=resources.pop_all())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.opened.resources.__aexit__(kind, error, traceback)

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    @property
    def opened(self) -> Opened:
        """Return the resources; raises RuntimeError outside `async with`."""
        if self._opened is None:
            raise RuntimeError(NOT_OPEN)
        return self._opened

    @property
    def engine(self) -> Engine:
        return self.opened.engine

    @property
    def ends(self) -> EndWaiter:
        return self.opened.ends

    @property
    def settings(self) -> Settings:
        return self.engine.settings

    def context(self, owner: str | None = None) -> ApplicationContext:
        """Return a context that acts for an owner; raises BadRequest."""
        return ApplicationContext(
            acting_for=require_owner(owner), engine=self.engine, feed=self.opened.feed
        )

    async def mutate(
        self,
        mutation: str,
        given: object,
        use_case: Callable[[ApplicationContext], Awaitable[T]],
        owner: str | None = None,
    ) -> T:
        """Run a use case that acts for an owner, and record it with its input in the audit log.

        `mutation` is its name in the API. Raises what the use case raises, Unavailable or TimedOut.
        """
        context = self.context(owner)
        recorded = run_audited(context, MutationCall(mutation, given), lambda: use_case(context))
        return await call(recorded)

    async def following(self, owner: str | None) -> ApplicationContext:
        """Return a context whose change feed is open; raises Unavailable."""
        context = self.context(owner)
        async with self._feed_lock:
            if not self._is_following:
                await call(self.opened.resources.enter_async_context(self.opened.feed))
                self._is_following = True
        return context

    def _settings_to_open(self) -> Settings:
        return _settings_of_client(self._configured)

    async def _open_more(self, opened: Opened) -> None:
        """Open what a subclass needs, in `opened.resources`."""

    def _forget(self) -> None:
        self._opened, self._is_following = None, False


async def call(use_case: Awaitable[T]) -> T:
    """Await a use case; raises Unavailable or TimedOut for errors of the driver."""
    try:
        return await use_case
    except Exception as error:
        converted = to_client_error(error)
        if converted is error:
            raise
        raise converted from error


def _validate_options(options: OpenOptions) -> dict[str, object]:
    """Return the options that were passed, as settings; raises BadRequest or ValidationError."""
    for name in options:
        if name not in OPTION_FIELDS:
            message = f"{name} is not an option: use {', '.join(OPTION_FIELDS)}"
            raise BadRequest.at(name, message=message, code="invalid_option")
    return VALID_OPTIONS(**options).model_dump(exclude_unset=True)


def _settings_of_client(settings: Settings) -> Settings:
    """Return settings with a small change feed; without secrets, also with a key for cursors."""
    update: dict[str, object] = {
        "hub_history_ms": 0,
        "ring_events": min(settings.ring_events, MAX_RING_EVENTS),
    }
    if settings.cursor_secret is None and settings.jwt_secret is None:
        update["cursor_secret"] = OWN_CURSORS
    return settings.model_copy(update=update)


def page_window(first: int, after: Listed | None, instant: datetime | None = None) -> Window:
    """Return the window of up to `first` objects of a list that follow `after`.

    `instant` is the time of `after` by which the list is sorted. Raises BadRequest at `first`.
    """
    position = None if after is None else PagePosition(id=after.id, instant=instant)
    return Window(limit=require_range("first", first, 1, MAX_PAGE_SIZE), after=position)


def log_window(first: int, after: LogLine | None) -> Window:
    """Return the window of up to `first` lines of a log that follow `after`."""
    position = None if after is None else place_of(after)
    return Window(limit=require_range("first", first, 1, MAX_PAGE_SIZE), after=position)
