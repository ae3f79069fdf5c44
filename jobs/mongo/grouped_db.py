"""`ctx.db` of a job that runs in a group: it reads what its group has read, and keeps its writes.

The group writes them later, with one command per collection. Any other command raises
NeedsOwnTransaction, before it is sent.
"""

from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, Never

from pymongo import InsertOne, UpdateOne

from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.function_db import (
    Filter,
    FunctionCollection,
    FunctionDatabase,
    Sort,
    T,
    Update,
)
from ostinato.jobs.mongo.stored_json import escape_document, escape_update, restore_document


class NeedsOwnTransaction(Exception):
    """A job of a group needs a command that the group cannot share."""


class GroupReads:
    """The documents that a group has read by their ids, in the snapshot of its transaction."""

    def __init__(self, mongo: Mongo, session: Session) -> None:
        self._mongo = mongo
        self._session = session
        self._known: defaultdict[str, dict[str, Document | None]] = defaultdict(dict)

    async def read(
        self,
        collection: str,
        ids: Iterable[object],
        projection: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Read documents of one of Ostinato's collections; what is no id is ignored."""
        chosen = list(dict.fromkeys(each for each in ids if type(each) is str))
        if not chosen:
            return []
        found = self._mongo[collection].find(
            {"_id": {"$in": chosen}}, projection, session=self._session
        )
        documents = [restore_document(document) for document in await found.to_list(None)]
        self._known[collection] |= dict.fromkeys(chosen)
        self._known[collection] |= {document["_id"]: document for document in documents}
        return documents

    def get(self, collection: str, document_id: object) -> Document | None:
        """Return a document, None if there is none; raises NeedsOwnTransaction if it is unread."""
        known = self._known[collection]
        if type(document_id) is not str or document_id not in known:
            raise NeedsOwnTransaction
        return known[document_id]

    def update(self, collection: str, document_id: str, fields: Mapping[str, Any]) -> None:
        """Note what a job of the group writes, for those after it."""
        self._known[collection][document_id] = {
            **(self.get(collection, document_id) or {}),
            **fields,
        }


class GroupedDatabase(FunctionDatabase):
    """The database of one job of a group."""

    def __init__(self, mongo: Mongo, session: Session, reads: GroupReads) -> None:
        super().__init__(mongo, session)
        self.reads: Final = reads
        self.inserts: Final[list[tuple[str, Document]]] = []
        """New documents, with their collections."""
        self.updates: Final[list[tuple[str, str, Document]]] = []
        """Fields to set, with the collections and ids of their documents."""

    def __getitem__(self, name: str) -> Never:
        raise NeedsOwnTransaction

    async def track(self, command: Awaitable[T]) -> T:
        """Raise NeedsOwnTransaction; the command is not sent."""
        if isinstance(command, Coroutine):
            command.close()
        raise NeedsOwnTransaction

    def apply(self) -> None:
        """Apply the updates to what the group has read, for the jobs that follow."""
        for collection, document_id, fields in self.updates:
            self.reads.update(collection, document_id, fields)

    def _collection(self, name: str, *, writable: bool) -> FunctionCollection:
        return _GroupedCollection(self, name, writable=writable)


class _GroupedCollection(FunctionCollection):
    def __init__(self, database: GroupedDatabase, name: str, *, writable: bool) -> None:
        self._group = database
        self._name = name
        self._may_write = writable

    def __getattr__(self, name: str) -> Never:
        raise NeedsOwnTransaction  # the driver would send a command

    async def find_one(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        sort: Sort | None = None,
    ) -> Document | None:
        document = self._group.reads.get(self._name, where.get("_id"))
        return document if document is not None and _matches(document, where) else None

    async def find(
        self,
        where: Filter,
        projection: Mapping[str, Any] | None = None,
        *,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        ids = _choices(where.get("_id"))
        if sort or limit or len(where) > 1 or ids is None:
            raise NeedsOwnTransaction
        found = [self._group.reads.get(self._name, each) for each in ids]
        return [document for document in found if document is not None]

    async def insert_one(self, document: Document) -> str:
        self._require_writable()
        self._group.inserts.append((self._name, document))
        return str(document["_id"])

    async def insert_many(self, documents: Sequence[Document]) -> list[str]:
        return [await self.insert_one(document) for document in documents]

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> int:
        self._require_writable()
        if upsert or len(where) > 1 or not isinstance(update, Mapping) or [*update] != ["$set"]:
            raise NeedsOwnTransaction
        if self._group.reads.get(self._name, where.get("_id")) is None:
            return 0
        self._group.updates.append((self._name, where["_id"], update["$set"]))
        return 1

    def _require_writable(self) -> None:
        if not self._may_write:
            raise NeedsOwnTransaction


def _choices(condition: object) -> Sequence[object] | None:
    """Return the values of `$in`; None for another condition."""
    if isinstance(condition, Mapping) and condition.keys() == {"$in"}:
        return list(condition["$in"])
    return None


def _matches(document: Document, where: Filter) -> bool:
    """Return whether a document has these values: texts, None, or one of several texts."""
    for name, condition in where.items():
        choices = [condition] if condition is None else _choices(condition)
        if choices is None and type(condition) is not str:
            raise NeedsOwnTransaction
        if document.get(name) not in (choices or [condition]):
            return False
    return True


async def write_group(mongo: Mongo, session: Session, databases: Sequence[GroupedDatabase]) -> None:
    """Write what the jobs of a group have written, in the order of the jobs."""
    writes: defaultdict[str, list[InsertOne[Document] | UpdateOne]] = defaultdict(list)
    for database in databases:
        for collection, document in database.inserts:
            writes[collection].append(InsertOne(escape_document(document)))
        for collection, document_id, fields in database.updates:
            update = escape_update({"$set": fields})
            writes[collection].append(UpdateOne({"_id": document_id}, update))
    for collection, requests in writes.items():
        await mongo[collection].bulk_write(requests, session=session)
