"""`ctx.db`: the collections of a function, in a mutation within its transaction."""

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
    is_transient_transaction_error,
    summarize,
)
from ostinato.jobs.mongo.collections import COLLECTIONS, JOBS, READ_ONLY, WRITABLE_BY_BUILT_INS
from ostinato.jobs.mongo.stored_json import escape_document, escape_update, restore_document

T = TypeVar("T")
WRITING_STAGES: Final = frozenset({"$out", "$merge"})
"""Stages that MongoDB accepts at the end of a pipeline, outside of transactions."""
SYSTEM_PREFIX: Final = "system."  # of MongoDB's own collections
NO_SUCH_TRANSACTION: Final = 251
OSTINATO_COLLECTIONS: Final = frozenset(spec.name for spec in COLLECTIONS)
"""Collections whose JSON fields are escaped; all other documents are stored unchanged."""

Filter = Mapping[str, Any]
Update = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Sort = Sequence[tuple[str, int]]


class WriteRefused(Exception):
    """A function caught a MongoDB error and continued in an aborted transaction."""


class FunctionDatabase:
    """The application's database, and Ostinato's own.

    With a session, which is in a transaction, reads share a snapshot and writes take effect on
    commit. Without one, in an action, each command takes effect on its own.
    """

    def __init__(self, mongo: Mongo, session: Session | None = None) -> None:
        self._mongo = mongo
        self._session = session
        self._is_closed = False
        self._failure: OperationFailure | None = None
        """The first error after which MongoDB may have aborted the transaction."""

    @property
    def session(self) -> Session | None:
        """Return the session; raises RuntimeError after the function has returned: a write would be
        outside the transaction."""
        if self._is_closed:
            raise RuntimeError("the function has returned, so its transaction is closed")
        return self._session

    def __getitem__(self, name: str) -> "FunctionCollection":
        database = self._mongo.app_database
        if database.name == self._mongo.database.name:
            return self.ostinato(name)
        return FunctionCollection(self, database[name], not name.startswith(SYSTEM_PREFIX))

    def ostinato(self, name: str) -> "FunctionCollection":
        """Return a collection of Ostinato's own database, whichever `ctx.db[…]` uses."""
        is_reserved = name in READ_ONLY or name.startswith(SYSTEM_PREFIX)
        return self._collection(name, writable=not is_reserved)

    def internal_collection(self, name: str) -> "FunctionCollection":
        """Return one of Ostinato's own collections, writable only by built-in functions, which
        keep its documents well-formed."""
        return self._collection(name, writable=name in WRITABLE_BY_BUILT_INS)

    def _collection(self, name: str, *, writable: bool) -> "FunctionCollection":
        return FunctionCollection(self, self._mongo[name], writable)

    def has_json(self, collection: Collection) -> bool:
        """Return whether the documents of a collection contain JSON that is stored escaped."""
        is_own = collection.database.name == self._mongo.database.name
        return is_own and collection.name in OSTINATO_COLLECTIONS

    async def track(self, command: Awaitable[T]) -> T:
        """Await a command; raises WriteRefused after an abort of the transaction."""
        if self._session is None:
            return await command
        try:
            return await self._mongo.sessions.track(self._session, command)
        except OperationFailure as error:
            self._failure = self._failure or _permanent_failure(error)
            if self._failure is None or self._failure is error or error.code != NO_SUCH_TRANSACTION:
                raise
            # The error looks like a conflict: the body would be retried until the deadline.
            raise _write_refused(self._failure) from self._failure

    async def require_not_aborted(self) -> None:
        """Raise WriteRefused if the function continued after its transaction was aborted."""
        if self._failure is not None:  # only MongoDB can tell whether it was aborted
            await self.track(self._mongo[JOBS].find_one({"_id": ""}, session=self._session))

    def close(self) -> None:
        """End access: later use raises RuntimeError."""
        self._is_closed = True


class FunctionCollection:
    """A collection; methods are named as in PyMongo."""

    def __init__(self, database: FunctionDatabase, collection: Collection, writable: bool) -> None:
        self._database = database
        self._readable = collection
        self._may_write = writable
        self._has_json = database.has_json(collection)

    @property
    def _session(self) -> Session | None:
        return self._database.session

    @property
    def _writable(self) -> Collection:
        if not self._may_write:
            name = self._readable.name
            instead = READ_ONLY.get(name, "it is MongoDB's own")
            raise PermissionError(f"a function may read {name!r} but not write to it: {instead}")
        return self._readable

    async def find_one(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        sort: Sort | None = None,
    ) -> Document | None:
        found: Document | None = await self._database.track(
            self._readable.find_one(
                where, projection, sort=sort and list(sort), session=self._session
            )
        )
        return found if found is None else self._restore(found)

    async def find(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        *,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """Return all matching documents, up to `limit` (0: no limit)."""
        cursor = self._readable.find(
            where, projection, sort=sort and list(sort), limit=limit, session=self._session
        )
        return [self._restore(one) for one in await self._database.track(cursor.to_list(None))]

    async def count_documents(self, where: Filter) -> int:
        return await self._database.track(
            self._readable.count_documents(where, session=self._session)
        )

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Return the results of a pipeline; raises PermissionError for one that writes."""
        for stage in WRITING_STAGES.intersection(*pipeline[-1:]) if pipeline else ():
            raise PermissionError(f"a function may not use {stage}: write with insert_many")
        cursor = self._readable.aggregate(list(pipeline), session=self._session)
        return await self._database.track(cursor.to_list(None))

    async def insert_one(self, document: Document) -> str:
        """Insert a document and return its `_id`."""
        inserted = await self._database.track(
            self._writable.insert_one(self._escape(document), session=self._session)
        )
        return str(inserted.inserted_id)

    async def insert_many(self, documents: Sequence[Document]) -> list[str]:
        stored = [self._escape(document) for document in documents]
        inserted = await self._database.track(
            self._writable.insert_many(stored, session=self._session)
        )
        return [str(one) for one in inserted.inserted_ids]

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> int:
        """Update one document; returns the number of matches, 0 or 1."""
        changed = await self._database.track(
            self._writable.update_one(
                where, self._escape_update(update), upsert=upsert, session=self._session
            )
        )
        return changed.matched_count

    async def update_many(self, where: Filter, update: Update) -> int:
        """Update all matching documents; returns their number."""
        changed = await self._database.track(
            self._writable.update_many(where, self._escape_update(update), session=self._session)
        )
        return changed.matched_count

    async def find_one_and_update(self, where: Filter, update: Update) -> Document | None:
        """Update one document and return its new state; None if none matched."""
        found: Document | None = await self._database.track(
            self._writable.find_one_and_update(
                where,
                self._escape_update(update),
                return_document=ReturnDocument.AFTER,
                session=self._session,
            )
        )
        return found if found is None else self._restore(found)

    async def delete_one(self, where: Filter) -> int:
        deleted = await self._database.track(
            self._writable.delete_one(where, session=self._session)
        )
        return deleted.deleted_count

    async def delete_many(self, where: Filter) -> int:
        deleted = await self._database.track(
            self._writable.delete_many(where, session=self._session)
        )
        return deleted.deleted_count

    def _restore(self, document: Document) -> Document:
        return restore_document(document) if self._has_json else document

    def _escape(self, document: Document) -> Document:
        return escape_document(document) if self._has_json else document

    def _escape_update(self, update: Update) -> Mapping[str, Any] | list[Mapping[str, Any]]:
        if not isinstance(update, Mapping):
            return list(update)
        return escape_update(update) if self._has_json else update


def _permanent_failure(error: OperationFailure) -> OperationFailure | None:
    return None if is_transient_transaction_error(error) or is_transient(error) else error


def _write_refused(failure: OperationFailure) -> WriteRefused:
    return WriteRefused(
        f"MongoDB rejected a command of the function and aborted its transaction: "
        f"{summarize(failure)}. A function cannot catch this error and continue: "
        "read first, or call update_one(..., upsert=True)"
    )
