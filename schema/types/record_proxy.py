"""The interface of stored objects, and the base classes of types that wrap a record."""

from typing import Generic, Protocol, Self, TypeVar

import strawberry

from ostinato.schema.ids import global_id


@strawberry.interface(description="An object that can be read by its id.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Its globally unique id, for `node(id)` and the lookups of its type."
    )
    version: int = strawberry.field(
        description="Increases with every write: a copy with a higher version is newer."
    )


class Stored(Protocol):
    """A record with a document id."""

    @property
    def id(self) -> str: ...


R = TypeVar("R")
S = TypeVar("S", bound=Stored)


class RecordProxy(Generic[R]):
    """Has each field without a resolver in common with its record.

    The schema reads these fields from `record` (`install_fast_paths`), and so does Python code. A
    `__getattr__` would be called for every object that the executor asks for `__await__`.
    """

    record: R

    @classmethod
    def of(cls, record: R) -> Self:
        """Wrap a record; skips the constructor, which takes every field."""
        proxy = cls.__new__(cls)
        proxy.record = record
        return proxy

    @classmethod
    def of_optional(cls, record: R | None) -> Self | None:
        return None if record is None else cls.of(record)


class NodeProxy(RecordProxy[S]):
    """A RecordProxy whose `id` is the global id of the record."""

    id: strawberry.ID

    @classmethod
    def of(cls, record: S) -> Self:
        """Wrap a record."""
        proxy = super().of(record)
        proxy.id = global_id(cls.__name__, record.id)
        return proxy
