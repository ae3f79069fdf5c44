"""The resources of an API process: its engine, its change feed, and what its parts do with them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from ostinato.jobs.arq_queue.shared_buckets import Spending
from ostinato.jobs.changefeed import ChangeFeed, ChangeFeedStats
from ostinato.jobs.cluster_stats import ClusterStats, ClusterStatsReader
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import Unavailable
from ostinato.jobs.revocations import Revocation
from ostinato.jobs.settings import Settings
from ostinato.jobs.watchdog.watchdog import watching
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenResources:
    """The open resources of a running application."""

    engine: Engine
    feed: ChangeFeed
    cluster_stats: ClusterStatsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResources:
    """What the application that contains the API has opened."""

    engine: Engine
    feed: ChangeFeed
    dead_tasks: Callable[[], list[str]] = list
    """Returns its long-lived tasks that keep failing."""


class AppState:
    """The resources of the application; access raises Unavailable unless they are open."""

    def __init__(self, settings: Settings, host: HostResources | None = None) -> None:
        """With a `host`, its engine and change feed are used, and left open."""
        self._settings = settings
        self._host = host
        self._current: _OpenResources | None = None

    @property
    def current(self) -> _OpenResources:
        if self._current is None:
            raise Unavailable("the server is starting or stopping: try again")
        return self._current

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        host = self._host
        async with (
            nullcontext(host.engine) if host else Engine.open(self._settings) as engine,
            nullcontext(host.feed) if host else ChangeFeed(engine.mongo, self._settings) as feed,
            ClusterStatsReader(engine, feed) as cluster_stats,
            watching(engine),
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
        is_feed_dead = self._current is not None and self._current.feed.is_dead
        own = ["change feed"] if is_feed_dead else []
        return own if self._host is None else [*own, *self._host.dead_tasks()]

    def feed_stats(self) -> ChangeFeedStats:
        return self.current.feed.stats

    async def cluster_stats(self) -> ClusterStats:
        return await self.current.cluster_stats.read()
