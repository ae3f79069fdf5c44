"""`ctx.db`: collections bound to a mutation function's transaction."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pymongo import ReturnDocument
from pymongo.errors import OperationFailure

from ostinato.jobs.mongo.client import (
    Collection,
    Document,
    Mongo,
    Session,
    is_transient,
    may_pass,
    summary,
)
from ostinato.jobs.mongo.collections import COLLECTIONS, JOBS, WRITE_INSTEAD, WRITTEN_BY_BUILT_INS
from ostinato.jobs.mongo.stored_json import escape_document, escape_update, restore_document

T = TypeVar("T")
OF_MONGODB: Final = "system."
NO_TRANSACTION: Final = 251
OURS: Final = frozenset(spec.name for spec in COLLECTIONS)
"""Collections whose documents hold clients' JSON; in others, a document stays as it is given."""

Filter = Mapping[str, Any]
Update = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Sort = Sequence[tuple[str, int]]


class WriteRefused(Exception):
    """A function caught what MongoDB refused, and went on in a transaction that was aborted."""


class BoundDatabase:
    """The database inside one transaction: what is read is one snapshot, what is written appears
    if and only if it commits."""

    def __init__(self, mongo: Mongo, session: Session) -> None:
        self._mongo = mongo
        self._session = session
        self._is_over = False
        self._refused: OperationFailure | None = None

    @property
    def session(self) -> Session:
        """Give the session; raises RuntimeError after the function's end: what it would write
        then were in no transaction."""
        if self._is_over:
            raise RuntimeError("the function has ended, and its transaction with it")
        return self._session

    def __getitem__(self, name: str) -> "BoundCollection":
        is_reserved = name in WRITE_INSTEAD or name.startswith(OF_MONGODB)
        return BoundCollection(self, self._mongo[name], not is_reserved)

    def owned(self, name: str) -> "BoundCollection":
        """Return one of Ostinato's own collections to write to, for its built-in functions only:
        every reader counts on what they write there."""
        return BoundCollection(self, self._mongo[name], name in WRITTEN_BY_BUILT_INS)

    async def answered(self, command: Awaitable[T]) -> T:
        try:
            return await self._mongo.sessions.answered(self._session, command)
        except OperationFailure as error:
            self._refused = self._refused or _refusal(error)
            if self._refused is None or self._refused is error or error.code != NO_TRANSACTION:
                raise
            # It looks like a conflict, and the body would run again and again.
            raise self._aborted() from self._refused

    async def require_unrefused(self) -> None:
        """Raise WriteRefused if the function went on after an error that ended its transaction."""
        if self._refused is not None:  # only MongoDB knows whether it has aborted
            await self.answered(self._mongo[JOBS].find_one({"_id": ""}, session=self._session))

    def _aborted(self) -> WriteRefused:
        assert self._refused is not None
        return WriteRefused(
            f"MongoDB refused a command of the function and aborted its transaction: "
            f"{summary(self._refused)}. The function cannot catch that and go on: "
            "look first, or call update_one(..., upsert=True)"
        )

    def close(self) -> None:
        """Refuse whatever comes later."""
        self._is_over = True


class BoundCollection:
    """One collection inside one transaction; the verbs of MongoDB by their usual names."""

    def __init__(self, within: BoundDatabase, collection: Collection, writable: bool) -> None:
        self._within = within
        self._readable = collection
        self._may_write = writable
        self._is_ours = collection.name in OURS

    @property
    def _session(self) -> Session:
        return self._within.session

    @property
    def _writable(self) -> Collection:
        if not self._may_write:
            name = self._readable.name
            instead = WRITE_INSTEAD.get(name, "it is MongoDB's own")
            raise PermissionError(f"a function may read {name!r} and not write it: {instead}")
        return self._readable

    async def find_one(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        sort: Sort | None = None,
    ) -> Document | None:
        found: Document | None = await self._within.answered(
            self._readable.find_one(
                where, projection, sort=sort and list(sort), session=self._session
            )
        )
        return found if found is None else self._as_given(found)

    async def find(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        *,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """Read all that match, at most `limit` if it is not 0."""
        cursor = self._readable.find(
            where, projection, sort=sort and list(sort), limit=limit, session=self._session
        )
        return [self._as_given(one) for one in await self._within.answered(cursor.to_list(None))]

    async def count_documents(self, where: Filter) -> int:
        return await self._within.answered(
            self._readable.count_documents(where, session=self._session)
        )

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        cursor = self._readable.aggregate(list(pipeline), session=self._session)
        return await self._within.answered(cursor.to_list(None))

    async def insert_one(self, document: Document) -> str:
        """Insert a document and return its `_id`."""
        inserted = await self._within.answered(
            self._writable.insert_one(self._as_stored(document), session=self._session)
        )
        return str(inserted.inserted_id)

    async def insert_many(self, documents: Sequence[Document]) -> list[str]:
        stored = [self._as_stored(document) for document in documents]
        inserted = await self._within.answered(
            self._writable.insert_many(stored, session=self._session)
        )
        return [str(one) for one in inserted.inserted_ids]

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> int:
        """Change one document; returns how many matched."""
        changed = await self._within.answered(
            self._writable.update_one(
                where, self._update(update), upsert=upsert, session=self._session
            )
        )
        return changed.matched_count

    async def update_many(self, where: Filter, update: Update) -> int:
        """Change every document that matches; returns how many did."""
        changed = await self._within.answered(
            self._writable.update_many(where, self._update(update), session=self._session)
        )
        return changed.matched_count

    async def find_one_and_update(self, where: Filter, update: Update) -> Document | None:
        """Change one document and return it as it is then; None if none matched."""
        found: Document | None = await self._within.answered(
            self._writable.find_one_and_update(
                where,
                self._update(update),
                return_document=ReturnDocument.AFTER,
                session=self._session,
            )
        )
        return found if found is None else self._as_given(found)

    async def delete_one(self, where: Filter) -> int:
        deleted = await self._within.answered(
            self._writable.delete_one(where, session=self._session)
        )
        return deleted.deleted_count

    async def delete_many(self, where: Filter) -> int:
        deleted = await self._within.answered(
            self._writable.delete_many(where, session=self._session)
        )
        return deleted.deleted_count

    def _as_given(self, document: Document) -> Document:
        return restore_document(document) if self._is_ours else document

    def _as_stored(self, document: Document) -> Document:
        return escape_document(document) if self._is_ours else document

    def _update(self, update: Update) -> Mapping[str, Any] | list[Mapping[str, Any]]:
        if not isinstance(update, Mapping):
            return list(update)
        return escape_update(update) if self._is_ours else update


def _refusal(error: OperationFailure) -> OperationFailure | None:
    return None if is_transient(error) or may_pass(error) else error
