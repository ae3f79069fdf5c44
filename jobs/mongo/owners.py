"""Owners: the roles in their newest token, and their suspension."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from cachetools import LRUCache
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.async_tools.batch_loader import BatchLoader
from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Mongo, MongoError
from ostinato.jobs.mongo.collections import OWNERS
from ostinato.jobs.mongo.list_counts import list_counter
from ostinato.jobs.mongo.page_queries import KeysetQuery, Ordering
from ostinato.jobs.paging import Page, Window, build_page
from ostinato.jobs.rights import SUSPENSION_TTL_S, Owner, owner_from, owner_suspended

MAX_RECORDED: Final = 10_000  # owners whose stored roles a process remembers
SUSPENDED: Final = {"suspendedAt": {"$type": "date"}}
RECORD_TIMEOUT_S: Final = 2.0  # a request must not wait longer for a database that is unavailable

log = get_log(__name__)


class OwnerStore:
    """The `owners` collection."""

    def __init__(self, mongo: Mongo) -> None:
        self._owners = mongo[OWNERS]
        self._recorded: LRUCache[str, tuple[datetime, frozenset[str]]] = LRUCache(MAX_RECORDED)
        self._suspended = SingleFlight(self._read_suspended)
        self._loader: BatchLoader[str, Owner] = BatchLoader(self._read)

    async def record_roles(self, owner: str, roles: frozenset[str], issued_at: datetime) -> None:
        """Store the roles of a verified token, unless those of a newer token are stored.

        Of tokens that were issued in the same second, only the roles that all have are stored.

        Writes nothing if this process has stored the same or newer roles. Does not raise if
        MongoDB is unavailable: the next verification tries again.
        """
        recorded = self._recorded.get(owner)
        if recorded == (issued_at, roles) or (recorded is not None and recorded[0] > issued_at):
            return
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S):
                await self._record(owner, roles, issued_at)
        except (MongoError, TimeoutError) as error:
            log.warning("roles.not_recorded", error=f"{type(error).__name__}")
            return
        self._recorded[owner] = (issued_at, roles)

    async def require_active(self, owner: str) -> None:
        """Raise OwnerSuspended if an owner is suspended, as of at most SUSPENSION_TTL_S ago."""
        suspended = await self._suspended.get(SUSPENSION_TTL_S)
        if owner in suspended:
            raise owner_suspended(suspended[owner])

    async def find_suspended(self, window: Window) -> Page[Owner]:
        """Return a page of the suspended owners, newest suspension first."""
        query = KeysetQuery.of(SUSPENDED, Ordering(field="suspendedAt"), window)
        found = self._owners.find(query.filter, sort=query.sort, limit=query.limit)
        owners = [owner_from(one["_id"], one) for one in await found.to_list(None)]
        return replace(build_page(owners, window), count=list_counter(self._owners, SUSPENDED))

    async def refresh(self) -> None:
        """Make a change of a suspension take effect in this process at once."""
        await self._suspended.get(0.0)  # this may be a read that began before the change
        await self._suspended.get(0.0)

    async def close(self) -> None:
        await self._suspended.close()

    async def find(self, owner: str) -> Owner:
        """Return what is known of an owner; concurrent calls share a read."""
        return await self._loader.load(owner) or Owner(id=owner)

    async def _record(self, owner: str, roles: frozenset[str], issued_at: datetime) -> None:
        not_newer = {"_id": owner, "rolesIssuedAt": {"$not": {"$gt": issued_at}}}
        given = {"$literal": sorted(roles)}
        is_same = {"$and": [{"$eq": ["$rolesIssuedAt", issued_at]}, {"$isArray": "$roles"}]}
        shared = {"$setIntersection": ["$roles", given]}
        stored = {"$cond": [is_same, shared, given]}
        update = [{"$set": {"roles": stored, "rolesIssuedAt": issued_at}}]
        try:
            await self._owners.update_one(not_newer, update, upsert=True)
        except DuplicateKeyError:  # another process was first, with an older or a newer token
            await self._owners.update_one(not_newer, update)

    async def _read_suspended(self) -> dict[str, Owner]:
        """Return all suspended owners by id: `suspend` limits their number."""
        found = self._owners.find(SUSPENDED, sort=[("suspendedAt", -1)])
        return {one["_id"]: owner_from(one["_id"], one) for one in await found.to_list(None)}

    async def _read(self, ids: Collection[str]) -> Mapping[str, Owner | Exception]:
        found = self._owners.find({"_id": {"$in": list(ids)}})
        return {one["_id"]: owner_from(one["_id"], one) for one in await found.to_list(None)}
