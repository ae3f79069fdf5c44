"""Reads the objects beside changes: what all readers want at one moment is one find."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from ostinato.jobs.changes import Position, time_of
from ostinato.jobs.errors import Malformed
from ostinato.jobs.mongo import reads
from ostinato.jobs.mongo.backoff import Backoff
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


class Objects(Generic[R]):
    """Read objects of one kind, whoever owns them: who may see them is decided before."""

    def __init__(self, mongo: Mongo, kind: type[R]) -> None:
        self._mongo = mongo
        self._kind: type[R] = kind
        self._wanted: set[str] = set()
        self._behind = Position("")
        self._gathering: asyncio.Task[Mapping[str, R]] | None = None

    async def load(self, ids: Collection[str], behind: Position) -> Mapping[str, R]:
        """Return those that exist, and what others asked for; each as new as it is by now, and not
        older than at that position."""
        if not ids:
            return {}
        self._wanted.update(ids)
        self._behind = max(self._behind, behind)
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._read())
        return await asyncio.shield(self._gathering)

    async def _read(self) -> Mapping[str, R]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._gathering = self._wanted, set(), None
        behind = time_of(self._behind)
        found = await Backoff().retry(
            lambda: reads.find_by_ids(self._mongo, self._kind, wanted, None, behind)
        )
        return {name: each for name, each in found.items() if not isinstance(each, Malformed)}
