"""The thread for computations that would block the event loop for too long."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

# One thread: it takes turns with the event loop, so that the loop has at least half of a core.
_THREAD: Final = ThreadPoolExecutor(1, "cpu")


class _Turns:
    """Whose computation is next: users take turns, so that none waits for all of another's."""

    def __init__(self) -> None:
        self._is_running = False
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def acquire(self, user: Hashable) -> None:
        if not self._is_running:
            self._is_running = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Start the computation of the next user."""
        while self._waiting:
            user, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[user] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._is_running = False


_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns]] = WeakKeyDictionary()


async def run_in_cpu_thread(user: Hashable, compute: Callable[[], T]) -> T:
    """Return the result of `compute`, which must not use anything of the event loop.

    Computations run one after another; users with several take turns. One that has not started can
    be canceled.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, _Turns())
    await turns.acquire(user)
    try:
        return await loop.run_in_executor(_THREAD, compute)
    finally:
        turns.release()
