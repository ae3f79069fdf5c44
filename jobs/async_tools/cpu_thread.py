"""The thread for computations that would block the event loop for too long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

# One thread: it takes turns with the event loop, so that the loop has at least half of a core.
_THREAD: Final = ThreadPoolExecutor(1, "cpu")


async def run_in_cpu_thread(compute: Callable[[], T]) -> T:
    """Return the result of `compute`, which must not use anything of the event loop.

    Computations run one after another. One that has not started yet can be canceled.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREAD, compute)
