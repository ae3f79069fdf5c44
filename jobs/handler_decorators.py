"""The decorators `@batch`, `@request_handler` and `@on_failure`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Never, Protocol, TypedDict, Unpack, cast

from ostinato.jobs.context import Context
from ostinato.jobs.declarations import (
    DeclarationError,
    is_decorator_target,
    require_async,
    require_options,
    require_parameters,
)
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.failure_hooks import FailureHook
from ostinato.jobs.mongo.function_db import FunctionCollection
from ostinato.jobs.mongo.stored_json import id_from_text, id_to_text
from ostinato.jobs.options import BATCH_OPTIONS
from ostinato.jobs.records import Json
from ostinato.jobs.registry import BatchSource, registry

Document = dict[str, Any]
Filter = Mapping[str, Any]
PageHandler = Callable[[Context, list[Document]], Awaitable[None]]
RequestHandler = Callable[[Context, Json], Awaitable[Json]]

OWNER_SAMPLE_SIZE: Final = 100  # documents checked for the field `owner`


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """The items of one page, and the cursor of the next page."""

    items: list[Document]
    cursor: str | None
    """None after the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRef:
    """Where an item was found: its `_id` as text, if it has one, and the cursor before it."""

    id: str | None
    after: str | None

    @classmethod
    def of(cls, item: Document, after: str | None) -> "ItemRef":
        return cls(id=id_to_text(item["_id"]) if "_id" in item else None, after=after)


class PageQuery(Protocol):
    """Reads at most `size` items after `cursor`, which is None for the first page."""

    async def __call__(self, ctx: Context, cursor: str | None, size: int) -> BatchPage: ...


class BatchOptions(TypedDict, total=False):
    """The options of `@batch`."""

    collection: str
    """The collection to read. Default: the batch's name."""
    where: Filter
    """Filter of the documents to process. Default: all."""
    owned: bool
    """Whether a batch processes only its owner's documents (field `owner`). Default: yes."""
    ostinato: bool
    """Whether `collection` is in Ostinato's own database, as `items` is. Default: no, if there is
    an application database."""
    pages: PageQuery
    """A custom query, which replaces the options above."""
    public: bool
    """Whether every signed-in user can start it. Default: no."""
    roles: tuple[str, ...]
    """Users with one of these roles can start it."""


def batch(name: str = "", **options: Unpack[BatchOptions]) -> Callable[[PageHandler], PageHandler]:
    """Register the decorated function as the page handler of the batch `name`.

    The handler `(ctx, items)` runs in the transaction that advances the cursor: its writes through
    `ctx.db` take effect exactly once. Without `pages`, the items are the documents of `collection`
    that match `where`, ordered by `_id`, which can be of any type.
    """
    if is_decorator_target(name):
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
            options.get("ostinato", False),
        )
        custom = options.get("pages")
        if custom:
            _require_custom_query(handle, custom, options)
        source = BatchSource(
            name=name,
            pages=custom or query.page,
            handle=handle,
            find_item=partial(_find_in_pages, custom) if custom else query.find_item,
            count=_unknown_count if custom else query.count,
            require_owners=query.require_owners,
            public=options.get("public", False),
            roles=frozenset(options.get("roles", ())),
        )
        registry.add_batch(source)
        return handle

    return register


def _require_custom_query(handle: PageHandler, pages: PageQuery, options: BatchOptions) -> None:
    require_parameters(pages, "the query `pages` of a batch", "ctx", "cursor", "size")
    if unused := sorted({"collection", "where", "owned", "ostinato"} & options.keys()):
        problem = f"@batch does not use {' and '.join(unused)}, since `pages` replaces the query"
        raise DeclarationError(handle, f"{problem}; remove {'it' if len(unused) == 1 else 'them'}")


def request_handler(handle: RequestHandler | None = None, /, **options: Never) -> RequestHandler:
    """Register the decorated coroutine as the request handler: it takes data, returns a result.

    It runs as an action, at most once per request. If it raises, the request is `failed`.
    """
    if handle is None:
        return cast("RequestHandler", partial(_reject_parentheses, "@request_handler"))
    require_async(handle, "@request_handler")
    require_parameters(handle, "a request handler", "ctx", "data")
    registry.set_request_handler(handle)
    return handle


def on_failure(hook: FailureHook | None = None, /, **options: Never) -> FailureHook:
    """Register a coroutine that is called after a job of any function has failed for good.

    It is called at least once for each failure, in an internal job of the system. An error that it
    raises is only logged.
    """
    if hook is None:
        return cast("FailureHook", partial(_reject_parentheses, "@on_failure"))
    require_async(hook, "@on_failure")
    require_parameters(hook, "a failure hook", "ctx", "failed")
    registry.failure_hooks[f"{hook.__module__}.{hook.__qualname__}"] = hook
    return hook


def _reject_parentheses(decorator: str, target: object) -> Never:
    problem = f"{decorator} takes no options; write it without parentheses"
    raise DeclarationError(target, problem)


async def _find_in_pages(pages: PageQuery, ctx: Context, item: ItemRef) -> Document | None:
    """Read the item after the same cursor again; None if another one is there now."""
    for found in (await pages(ctx, item.after, 1)).items:
        if ItemRef.of(found, item.after) == item:
            return found
    return None


async def _unknown_count(ctx: Context) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class _KeysetQuery:
    """Keyset pagination by `_id`: a page's cost does not depend on its position."""

    name: str
    collection: str
    where: Filter
    owned: bool
    ostinato: bool

    async def page(self, ctx: Context, cursor: str | None, size: int) -> BatchPage:
        # `$expr` compares `_id`s of all types; a plain `$gt` matches only the same type.
        after = [] if cursor is None else [{"$expr": {"$gt": ["$_id", _literal(cursor)]}}]
        found = await self._documents(ctx).find(
            {"$and": [self._scope(ctx), *after]}, sort=[("_id", 1)], limit=size + 1
        )
        items, has_next = found[:size], len(found) > size
        return BatchPage(items=items, cursor=id_to_text(items[-1]["_id"]) if has_next else None)

    async def find_item(self, ctx: Context, item: ItemRef) -> Document | None:
        by_id = {"$expr": {"$eq": ["$_id", _literal(item.id or "")]}}
        found = await self._documents(ctx).find({"$and": [self._scope(ctx), by_id]}, limit=1)
        return found[0] if found else None

    async def count(self, ctx: Context) -> int | None:
        return await self._documents(ctx).count_documents(self._scope(ctx))

    async def require_owners(self, ctx: Context) -> None:
        """Raise PreconditionFailed if the batch needs an owner, but the documents have none."""
        if not self.owned:
            return
        found = await self._documents(ctx).find(self.where, {"owner": 1}, limit=OWNER_SAMPLE_SIZE)
        if found and not any("owner" in document for document in found):
            raise PreconditionFailed(
                f"the batch {self.name!r} would process nothing: it processes documents of the "
                f"user who starts it, but those of {self.collection!r} have no field `owner`. "
                "Store the owner in them, or process all documents with owned=False: "
                f"@batch({self._declared()}, owned=False)"
            )

    def _documents(self, ctx: Context) -> FunctionCollection:
        return ctx.db.ostinato(self.collection) if self.ostinato else ctx.db[self.collection]

    def _declared(self) -> str:
        if self.collection == self.name:
            return repr(self.name)
        return f"{self.name!r}, collection={self.collection!r}"

    def _scope(self, ctx: Context) -> Filter:
        return {**self.where, "owner": ctx.owner} if self.owned else self.where


def _literal(cursor: str) -> Document:
    return {"$literal": id_from_text(cursor)}
