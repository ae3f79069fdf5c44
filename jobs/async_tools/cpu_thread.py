"""The thread for computations that would block the event loop for too long."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from ostinato.jobs.async_tools.user_turns import UserTurns

T = TypeVar("T")

# One thread: it takes turns with the event loop, so that the loop has at least half of a core.
_THREAD: Final = ThreadPoolExecutor(1, "cpu")


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
