"""The context of a use case: the viewer, the engine, and batched reads of related objects."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final, TypeVar

from ostinato.jobs.alerts import Alert
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import Malformed, NotFound, PayloadTooLarge, Unauthorized
from ostinato.jobs.quotas.limits import Quota
from ostinato.jobs.read_budget import ReadBudget
from ostinato.jobs.records import (
    Batch,
    Cause,
    CauseKind,
    Cron,
    Failure,
    Job,
    RecurringTask,
    Request,
)
from ostinato.jobs.registry import BatchSource, Function
from ostinato.jobs.rights import ADMIN
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.loaders import Loaders

READ_FACTOR = 2  # of the response's limit: BSON is often larger than JSON

T = TypeVar("T")
R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)

APPLICATION: Final = Viewer(id="(application)", roles=frozenset({ADMIN}))

NOUNS = {
    Job: "job",
    Cron: "cron",
    CronTick: "tick of a cron",
    RecurringTask: "recurring task",
    Batch: "batch",
    Request: "request",
    Failure: "failure",
    Alert: "alert",
    BulkAction: "bulk action",
}


def in_states(states: Collection[StrEnum] | None) -> dict[str, object]:
    """Return the condition of a read that objects have one of these states; None for all."""
    return {} if states is None else {"state": {"$in": [state.value for state in states]}}


@dataclass(kw_only=True)
class RequestContext:
    """The context of one operation or event; holds no state that can become stale."""

    caller: Viewer | None
    """None without a token."""
    engine: Engine
    feed: ChangeFeed = field(repr=False)
    tick_seconds: float = 0.0
    """The processor time that was spent on ticks."""
    _charged: int = 0
    """The points charged for lists whose size only the stored objects tell."""

    @property
    def viewer(self) -> Viewer:
        """Return the viewer; raises Unauthorized without a token."""
        if self.caller is None:
            raise Unauthorized("sign in: send a token as `Authorization: Bearer <token>`")
        return self.caller

    @property
    def owner(self) -> str | None:
        """Return the owner of what the use case creates."""
        return self.viewer.id

    @property
    def cause(self) -> Cause:
        """Return the cause of the jobs that the use case schedules."""
        return Cause(kind=CauseKind.API)

    def may_use(self, entry: Function | BatchSource) -> bool:
        """Return whether new work may use this function or source."""
        return entry.callable_by(self.viewer.roles)

    def require_viewer(self) -> None:
        """Raise Unauthorized without a token; for use cases that do not read the viewer."""
        _ = self.viewer

    def charge(self, points: int) -> None:
        """Add to the cost of the operation; raises PayloadTooLarge beyond the limit."""
        self._charged += points
        limit = self.engine.settings.max_cost
        if self._charged > limit:
            raise PayloadTooLarge(
                f"the timelines and other objects of the response cost more than {limit} points: "
                "request fewer, or raise OSTINATO_MAX_COST on the server"
            )

    @property
    def scope(self) -> str | None:
        """Return the owner filter of the viewer's reads; None (all owners) for admins."""
        return self.viewer.scope

    @cached_property
    def read_budget(self) -> ReadBudget | None:
        """Return the budget of what the operation reads in lists; None for no limit."""
        limit_bytes = READ_FACTOR * self.engine.settings.max_response_bytes
        return ReadBudget(limit_bytes, self.viewer.id)

    @cached_property
    def loaders(self) -> Loaders:
        return Loaders(self.engine, self.scope, self.read_budget)

    async def quotas(self) -> list[Quota]:
        """Read the owner's quotas; the system has none."""
        return [] if self.owner is None else await self.engine.quotas.read(self.owner)

    async def require_active(self) -> None:
        """Raise OwnerSuspended if the viewer is suspended; before a use case that adds work."""
        if self.owner is not None:
            await self.engine.owners.require_active(self.owner)

    async def now(self) -> datetime:
        """Return scheduler time."""
        return await self.engine.clock.now()

    async def find(
        self, kind: type[R], document_id: str, min_cluster_time: ClusterTime | None = None
    ) -> R:
        """Read an object that the viewer can see; raises NotFound or Malformed."""
        read = await self.engine.reads.find_by_ids(
            kind, [document_id], self.scope, min_cluster_time
        )
        found = read.get(document_id)
        if found is None:
            raise not_found(kind)
        if isinstance(found, Malformed):
            raise found
        return found

    async def transact_as_owner(
        self, kind: type[R], document_id: str, body: Callable[[Context], Awaitable[T]]
    ) -> T:
        """Run `body` in a transaction on behalf of the owner of an object visible to the viewer.

        Raises NotFound or Malformed.
        """
        found = await self.find(kind, document_id)
        return await self.engine.transact(found.owner, body)


@dataclass(kw_only=True)
class ApplicationContext(RequestContext):
    """The context of the application that embeds the Python client.

    It has an admin's rights, may use every function, acts for any owner and reads without a budget.
    """

    caller: Viewer | None = APPLICATION
    acting_for: str | None = None
    """The owner of new objects, and the only one whose objects are visible; None: new objects
    belong to the system, and those of all owners are visible."""

    @property
    def owner(self) -> str | None:
        return self.acting_for

    @property
    def scope(self) -> str | None:
        return self.acting_for

    @cached_property
    def read_budget(self) -> None:
        return None

    @property
    def cause(self) -> Cause:
        return Cause(kind=CauseKind.APPLICATION)

    def may_use(self, entry: Function | BatchSource) -> bool:
        return not (isinstance(entry, Function) and entry.is_chain)


def not_found(kind: type[R]) -> NotFound:
    """Build the error for an unknown id and for the id of another owner's object."""
    return NotFound(f"you have no {NOUNS[kind]} with this id")
