"""Functions that cancel themselves or other tasks, or replace their timeout by another outcome."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from pymongo.errors import AutoReconnect

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from tests.engine.functions import gate


def _own_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def _later() -> None:
    asyncio.get_running_loop().call_later(0.01, _own_task().cancel)
    await asyncio.Event().wait()


async def _again_during_cleanup() -> None:
    try:
        await _later()
    finally:
        _own_task().cancel()


async def _by_a_child() -> None:
    child = asyncio.create_task(asyncio.Event().wait())
    child.cancel()
    await child


async def _in_a_group() -> None:
    async with asyncio.TaskGroup():
        await _later()


async def _under_a_timeout() -> None:
    async with asyncio.timeout(60):
        await _later()


async def _swallowed() -> None:
    try:
        await _later()
    except asyncio.CancelledError:
        return


async def _after_return() -> None:
    asyncio.get_running_loop().call_soon(_own_task().cancel)


async def _on_return() -> None:
    _own_task().cancel()


Behavior = Callable[[], Awaitable[None]]
FAILING: dict[str, Behavior] = {
    "later": _later,
    "again during cleanup": _again_during_cleanup,
    "by a child": _by_a_child,
    "in a group": _in_a_group,
    "under a timeout": _under_a_timeout,
}
HARMLESS: dict[str, Behavior] = {
    "swallowed": _swallowed,
    "after return": _after_return,
}
ON_RETURN = "on return"
BEHAVIORS = {**FAILING, **HARMLESS, ON_RETURN: _on_return}


@action(public=True, name="functions.cancelItself")
async def cancel_itself(ctx: Context, behavior: str) -> str:
    """Count the start, then cancel its own task."""
    gate.visits += 1
    await BEHAVIORS[behavior]()
    return "done"


@mutation(public=True, name="functions.cancelItselfInMutation")
async def cancel_itself_in_mutation(ctx: Context, name: str, behavior: str = "") -> str:
    """Insert an effect, then cancel its own task."""
    gate.visits += 1
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    if behavior:
        await BEHAVIORS[behavior]()
    return "done"


@action(public=True, name="functions.cancelEverything")
async def cancel_everything(ctx: Context) -> None:
    """Cancel every other task of the worker, like an incorrect cleanup."""
    for task in asyncio.all_tasks() - {_own_task()}:
        task.cancel()


async def _late(behavior: str) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if behavior == "raises":
            raise ValueError("cleanup failed") from None
        if behavior == "cancels itself":
            _own_task().cancel()
            raise
    return "late"


@action(public=True, name="functions.exceedTimeout", timeout_ms=50)
async def exceed_timeout(ctx: Context, behavior: str) -> str:
    """Exceed the timeout, and handle the cancellation in this way."""
    return await _late(behavior)


@mutation(public=True, name="functions.exceedTimeoutInMutation", timeout_ms=10_000)
async def exceed_timeout_in_mutation(ctx: Context, name: str, behavior: str = "") -> str:
    """Insert an effect; with a behavior, exceed the timeout."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    return await _late(behavior) if behavior else "in time"


@action(public=True, name="functions.raiseInnerTimeout")
async def raise_inner_timeout(ctx: Context) -> None:
    """Raise the TimeoutError of an inner timeout, which has no message."""
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


@mutation(public=True, name="functions.useOwnClient")
async def use_own_client(ctx: Context, label: str = "") -> None:
    """Insert an effect, then raise an error of the user's own MongoDB client."""
    gate.visits += 1
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "own"})
    error = AutoReconnect("the other cluster is away")
    if label:
        error._add_error_label(label)
    raise error


def _exit(_: object) -> NoReturn:
    sys.exit(3)


def _raise(_: object) -> NoReturn:
    raise ValueError("not available")


_Exits = type("_Exits", (Exception,), {"__str__": _exit})
_CancelledExits = type("_CancelledExits", (asyncio.CancelledError,), {"__str__": _exit})
_HidesItsClass = type("_HidesItsClass", (Exception,), {"__class__": property(_raise)})
_HidesItsNotes = type("_HidesItsNotes", (Exception,), {"__notes__": property(_raise)})
_Nameless = type("_Nameless", (type,), {"__name__": property(lambda _: 5)})
_WithoutName = _Nameless("_WithoutName", (Exception,), {})


def _nested(levels: int) -> Exception:
    error: Exception = ValueError("innermost")
    for _ in range(levels):
        error = ExceptionGroup("group", [error])
    return error


def _chained(length: int) -> Exception:
    error = ValueError("first")
    for number in range(length):
        error, error.__cause__ = ValueError(number), error
    return error


UNPRINTABLE: dict[str, Callable[[], BaseException]] = {
    "_Exits": _Exits,
    "_CancelledExits": _CancelledExits,
    "_HidesItsClass": _HidesItsClass,
    "_HidesItsNotes": lambda: _HidesItsNotes("a"),
    "_WithoutName": lambda: _WithoutName("a"),
    "SyntaxError": lambda: SyntaxError("bad", ("t.html", 3, 5, b"text")),  # type: ignore[arg-type]
    "ExceptionGroup": lambda: _nested(3_000),
}
HUGE: dict[str, Callable[[], BaseException]] = {
    "chain": lambda: _chained(100_000),
    "group": lambda: ExceptionGroup("wide", [ValueError(number) for number in range(100_000)]),
}


@action(public=True, name="functions.raiseUnprintable")
async def raise_unprintable(ctx: Context, what: str) -> None:
    """Raise an error that cannot be printed."""
    raise UNPRINTABLE[what]()


@mutation(public=True, name="functions.raiseUnprintableInMutation")
async def raise_unprintable_in_mutation(ctx: Context, what: str) -> None:
    """Raise an error that cannot be printed."""
    raise UNPRINTABLE[what]()
