"""How a user's module declares a batch (`@batch`) and what completes requests."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Never, Protocol, TypedDict, Unpack, cast

from ostinato.jobs.context import Context
from ostinato.jobs.declarations import (
    DeclarationError,
    is_function,
    require_async,
    require_options,
    require_parameters,
)
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.mongo.stored_json import id_from_text, id_to_text
from ostinato.jobs.options import BATCH_OPTIONS
from ostinato.jobs.records import Json
from ostinato.jobs.registry import BatchSource, registry

Document = dict[str, Any]
Filter = Mapping[str, Any]
PageHandler = Callable[[Context, list[Document]], Awaitable[None]]
RequestHandler = Callable[[Context, Json], Awaitable[Json]]

OWNER_SAMPLE_SIZE: Final = 100  # documents to check for the field `owner`


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """Some items, and where the next page starts."""

    items: list[Document]
    cursor: str | None
    """None after the last page."""


class PageQuery(Protocol):
    """Return at most `size` items after `cursor`, which is None for the first page."""

    async def __call__(self, ctx: Context, cursor: str | None, size: int) -> BatchPage: ...


class BatchOptions(TypedDict, total=False):
    """The options of `@batch`."""

    collection: str
    """Default: the name."""
    where: Filter
    """Filter of the documents to process. Default: all."""
    owned: bool
    """Whether a batch processes only its owner's documents (field `owner`). Default: yes."""
    pages: PageQuery
    """Your own query, in place of the three options above."""
    public: bool
    """Whether every signed-in user can start it. Default: no."""
    roles: tuple[str, ...]
    """Users with one of these roles can start it."""


def batch(name: str = "", **options: Unpack[BatchOptions]) -> Callable[[PageHandler], PageHandler]:
    """Register the function below as the handler of each page of the batch `name`.

    The handler `(ctx, items)` is part of a mutation: its writes through `ctx.db` happen exactly
    once, together with the step to the next page. Without `pages`, the items are the documents of
    `collection` that match `where`, in the order of their `_id`, of any type.
    """
    if is_function(name):
        raise DeclarationError(name, "@batch needs the batch's name; write @batch('orders')")

    def register(handle: PageHandler) -> PageHandler:
        require_async(handle, "@batch")
        require_parameters(handle, "the handler of a batch", "ctx", "items")
        require_options(handle, "@batch", {"name": name, **options}, BATCH_OPTIONS)
        query = _KeysetQuery(
            name,
            options.get("collection", name),
            options.get("where", {}),
            options.get("owned", True),
        )
        custom = options.get("pages")
        if custom:
            _require_custom_query(handle, custom, options)
        source = BatchSource(
            name=name,
            pages=custom or query.page,
            handle=handle,
            count=_unknown if custom else query.count,
            check_empty=query.check_empty,
            public=options.get("public", False),
            roles=frozenset(options.get("roles", ())),
        )
        registry.add_batch(source)
        return handle

    return register


def _require_custom_query(handle: PageHandler, pages: PageQuery, options: BatchOptions) -> None:
    require_parameters(pages, "the query `pages` of a batch", "ctx", "cursor", "size")
    if unused := sorted({"collection", "where", "owned"} & options.keys()):
        problem = f"@batch does not use {' and '.join(unused)}, since `pages` replaces the query"
        raise DeclarationError(handle, f"{problem}; remove {'it' if len(unused) == 1 else 'them'}")


def request_handler(handle: RequestHandler | None = None, /, **options: Never) -> RequestHandler:
    """Complete requests with the coroutine below: it gets their data and returns their result.

    It runs as an action, at most once per request. What it raises makes the request `failed`.
    """
    if handle is None:
        return cast("RequestHandler", _refuse_parentheses)
    require_async(handle, "@request_handler")
    require_parameters(handle, "a request handler", "ctx", "data")
    registry.set_request_handler(handle)
    return handle


def _refuse_parentheses(handle: object) -> Never:
    problem = "@request_handler takes no options; write it without parentheses"
    raise DeclarationError(handle, problem)


async def _unknown(ctx: Context) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class _KeysetQuery:
    """Pages by `_id`: a page costs the same at any point of the batch."""

    name: str
    collection: str
    where: Filter
    owned: bool

    async def page(self, ctx: Context, cursor: str | None, size: int) -> BatchPage:
        # `$expr` compares `_id`s of all types; a plain `$gt` finds only those of the same type.
        after = [] if cursor is None else [{"$expr": {"$gt": ["$_id", _literal(cursor)]}}]
        found = await ctx.db[self.collection].find(
            {"$and": [self._scope(ctx), *after]}, sort=[("_id", 1)], limit=size + 1
        )
        items, more = found[:size], len(found) > size
        return BatchPage(items=items, cursor=id_to_text(items[-1]["_id"]) if more else None)

    async def count(self, ctx: Context) -> int | None:
        return await ctx.db[self.collection].count_documents(self._scope(ctx))

    async def check_empty(self, ctx: Context) -> None:
        """Raise PreconditionFailed if the documents have no owner, but the batch needs one."""
        if not self.owned:
            return
        found = await ctx.db[self.collection].find(
            self.where, {"owner": 1}, limit=OWNER_SAMPLE_SIZE
        )
        if found and not any("owner" in one for one in found):
            raise PreconditionFailed(
                f"the batch {self.name!r} would process nothing: it processes documents of the "
                f"user who starts it, but those of {self.collection!r} have no field `owner`. "
                "Store the owner in them, or process all documents with owned=False: "
                f"@batch({self._declared()}, owned=False)"
            )

    def _declared(self) -> str:
        if self.collection == self.name:
            return repr(self.name)
        return f"{self.name!r}, collection={self.collection!r}"

    def _scope(self, ctx: Context) -> Filter:
        return {**self.where, "owner": ctx.owner} if self.owned else self.where


def _literal(cursor: str) -> Document:
    return {"$literal": id_from_text(cursor)}
