"""Functions that cancel themselves or others, or make something else of their timeout."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from pymongo.errors import AutoReconnect

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from tests.engine.functions import gate


def _myself() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def _later() -> None:
    asyncio.get_running_loop().call_later(0.01, _myself().cancel)
    await asyncio.Event().wait()


async def _again_while_it_cleans_up() -> None:
    try:
        await _later()
    finally:
        _myself().cancel()


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


async def _once_it_has_returned() -> None:
    asyncio.get_running_loop().call_soon(_myself().cancel)


async def _as_it_returns() -> None:
    _myself().cancel()


Behavior = Callable[[], Awaitable[None]]
ENDING: dict[str, Behavior] = {
    "later": _later,
    "again while it cleans up": _again_while_it_cleans_up,
    "by a child": _by_a_child,
    "in a group": _in_a_group,
    "under a timeout": _under_a_timeout,
}
HARMLESS: dict[str, Behavior] = {
    "swallowed": _swallowed,
    "once it has returned": _once_it_has_returned,
}
AS_IT_RETURNS = "as it returns"
BEHAVIORS = {**ENDING, **HARMLESS, AS_IT_RETURNS: _as_it_returns}


@action(public=True, name="functions.cancelItself")
async def cancel_itself(ctx: Context, behavior: str) -> str:
    """Count the start, then cancel the own task."""
    gate.visits += 1
    await BEHAVIORS[behavior]()
    return "done"


@mutation(public=True, name="functions.cancelItselfInMutation")
async def cancel_itself_in_mutation(ctx: Context, name: str, behavior: str = "") -> str:
    """Note an effect, then cancel the own task."""
    gate.visits += 1
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    if behavior:
        await BEHAVIORS[behavior]()
    return "done"


@action(public=True, name="functions.cancelEverything")
async def cancel_everything(ctx: Context) -> None:
    """Cancel every other task of the worker, as careless cleaning up does."""
    for task in asyncio.all_tasks() - {_myself()}:
        task.cancel()


async def _late(behavior: str) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if behavior == "raises":
            raise ValueError("cleaning up failed") from None
        if behavior == "cancels itself":
            _myself().cancel()
            raise
    return "late"


@action(public=True, name="functions.beLate", timeout_ms=50)
async def be_late(ctx: Context, behavior: str) -> str:
    """Take longer than the timeout, and make something else of it."""
    return await _late(behavior)


@mutation(public=True, name="functions.beLateInMutation", timeout_ms=10_000)
async def be_late_in_mutation(ctx: Context, name: str, behavior: str = "") -> str:
    """Note an effect, then take longer than the timeout if a way is given."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    return await _late(behavior) if behavior else "in time"


@action(public=True, name="functions.meetATimeout")
async def meet_a_timeout(ctx: Context) -> None:
    """Meet a timeout of something else, without a word."""
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


@mutation(public=True, name="functions.useOwnClient")
async def use_own_client(ctx: Context, label: str = "") -> None:
    """Note an effect, then meet what a client of one's own raises."""
    gate.visits += 1
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": "own"})
    error = AutoReconnect("the other cluster is away")
    if label:
        error._add_error_label(label)
    raise error


def _exit(_: object) -> NoReturn:
    sys.exit(3)


def _refuse(_: object) -> NoReturn:
    raise ValueError("not to be had")


_Exits = type("_Exits", (Exception,), {"__str__": _exit})
_CancelledExits = type("_CancelledExits", (asyncio.CancelledError,), {"__str__": _exit})
_HidesItsClass = type("_HidesItsClass", (Exception,), {"__class__": property(_refuse)})
_HidesItsNotes = type("_HidesItsNotes", (Exception,), {"__notes__": property(_refuse)})
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


UNSPEAKABLE: dict[str, Callable[[], BaseException]] = {
    "_Exits": _Exits,
    "_CancelledExits": _CancelledExits,
    "_HidesItsClass": _HidesItsClass,
    "_HidesItsNotes": lambda: _HidesItsNotes("a"),
    "_WithoutName": lambda: _WithoutName("a"),
    "SyntaxError": lambda: SyntaxError("bad", ("t.html", 3, 5, b"text")),  # type: ignore[arg-type]
    "ExceptionGroup": lambda: _nested(3_000),
}
ENORMOUS: dict[str, Callable[[], BaseException]] = {
    "chain": lambda: _chained(100_000),
    "group": lambda: ExceptionGroup("wide", [ValueError(number) for number in range(100_000)]),
}


@action(public=True, name="functions.raiseUnspeakable")
async def raise_unspeakable(ctx: Context, what: str) -> None:
    """Raise an error that cannot be put into words."""
    raise UNSPEAKABLE[what]()


@mutation(public=True, name="functions.raiseUnspeakableInMutation")
async def raise_unspeakable_in_mutation(ctx: Context, what: str) -> None:
    """Raise an error that cannot be put into words."""
    raise UNSPEAKABLE[what]()
