"""The thread for computations that would block the event loop for too long."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from ostinato.jobs.async_tools.user_turns import UserTurns

T = TypeVar("T")

# One thread: it takes turns with the event loop, so that the loop has at least half of a core.
_THREAD: Final = ThreadPoolExecutor(1, "cpu")
TURN_S: Final = 0.05  # of processor time, before other users have their turns

_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, UserTurns]] = WeakKeyDictionary()


async def run_in_cpu_thread(user: Hashable, compute: Callable[[], T]) -> T:
    """Return the result of `compute`, which must not use anything of the event loop.

    Computations run one after another; users with several take turns. One that has not started can
    be canceled.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, UserTurns(1))
    async with turns.turn(user):
        return await loop.run_in_executor(_THREAD, compute)


async def collect_in_cpu_thread(user: Hashable, items: Iterator[T]) -> list[T]:
    """Return the items of an iterator, which are computed in turns of TURN_S.

    Few items take one turn. Raises what the iterator raises.
    """
    collected: list[T] = []
    while not await run_in_cpu_thread(user, partial(_collect_some, items, collected)):
        pass
    return collected


def _collect_some(items: Iterator[T], collected: list[T]) -> bool:
    """Add items for one turn, at least one; return whether there are no more."""
    end = time.thread_time() + TURN_S
    for item in items:
        collected.append(item)
        if time.thread_time() > end:
            return False
    return True
