"""A limit per turn of the event loop, so that catch-up does not block other tasks."""

import asyncio
from collections import deque
from typing import Final

EXECUTIONS_PER_TURN: Final = 3  # results executed per turn of the event loop: about 1 ms
DELIVERIES_PER_TURN: Final = 30  # sends per turn, each a result or a write batch: also about 1 ms


class TurnLimiter:
    """Admits `per_turn` callers in each turn of the event loop, in FIFO order."""

    def __init__(self, per_turn: int = EXECUTIONS_PER_TURN) -> None:
        self._per_turn = self._left = per_turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._renewal: asyncio.Handle | None = None

    async def wait_turn(self) -> None:
        """Return immediately if this turn has capacity, otherwise in a later turn."""
        loop = asyncio.get_running_loop()
        if self._renewal is None:
            self._renewal = loop.call_soon(self._renew)
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _renew(self) -> None:
        self._left = self._per_turn
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        waits = bool(self._waiting)
        self._renewal = asyncio.get_running_loop().call_soon(self._renew) if waits else None
