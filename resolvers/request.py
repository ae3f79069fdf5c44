"""What one use case is given: who calls, the engine, and the reads beside an object."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import Malformed, NotFound, Unauthorized
from ostinato.jobs.hub import Hub
from ostinato.jobs.mongo import reads
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.changes import Leg
from ostinato.resolvers.loaders import Loaders

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request, Failure)

NOUNS = {
    Job: "job",
    Cron: "cron",
    RecurringTask: "recurring task",
    Batch: "batch",
    Request: "request",
    Failure: "failure",
}


@dataclass(kw_only=True)
class RequestContext:
    """One per request, or per socket: it keeps nothing that could grow stale."""

    caller: Viewer | None
    """None without a token."""
    engine: Engine
    hub: Hub = field(repr=False)
    leg: Leg = field(default_factory=Leg)
    """Which part of its way a subscription goes in this context."""

    @property
    def viewer(self) -> Viewer:
        """Return who calls; raises Unauthorized without a token."""
        if self.caller is None:
            raise Unauthorized("sign in: send a token as `Authorization: Bearer <token>`")
        return self.caller

    def require_viewer(self) -> None:
        """Raise Unauthorized without a token, where nothing else asks who calls."""
        _ = self.viewer

    @property
    def scope(self) -> str | None:
        """Return whose documents the viewer may read: None is everybody's, for an admin."""
        return self.viewer.scope

    @cached_property
    def loaders(self) -> Loaders:
        return Loaders(self.engine.mongo, self.scope)

    async def now(self) -> datetime:
        """Return due time."""
        return await self.engine.clock.now()

    async def find(self, kind: type[R], document_id: str, behind: ClusterTime | None = None) -> R:
        """Read an object that the viewer may see; raises NotFound, whether or not it exists, and
        Malformed."""
        read = await reads.find_by_ids(self.engine.mongo, kind, [document_id], self.scope, behind)
        found = read.get(document_id)
        if found is None:
            raise not_found(kind)
        if isinstance(found, Malformed):
            raise found
        return found


def not_found(kind: type[R]) -> NotFound:
    """Build the one error for what is unknown and for what is somebody else's."""
    return NotFound(f"you have no {NOUNS[kind]} with this id")
