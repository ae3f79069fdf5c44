"""Exponential backoff: the pause doubles with each failure, up to a maximum."""

import asyncio
import math
import random

NO_JITTER = (1.0, 1.0)


class Backoff:
    """The backoff state of one retrying caller."""

    def __init__(
        self,
        first_s: float,
        max_s: float,
        *,
        jitter: tuple[float, float] = NO_JITTER,
        stable_s: float = math.inf,
    ) -> None:
        """Each pause is multiplied by a random number between the bounds of `jitter`.

        A failed run that lasted longer than `stable_s` resets the pause.
        """
        self._first_s = first_s
        self._max_s = max_s
        self._jitter = jitter
        self._stable_s = stable_s
        self._pause_s = first_s

    def reset(self) -> None:
        """Return to the first pause, after a success."""
        self._pause_s = self._first_s

    def next_s(self, ran_s: float = 0.0) -> float:
        """Return the next pause in seconds; `ran_s` is the duration of the failed run."""
        if ran_s > self._stable_s:
            self.reset()
        pause_s = min(self._pause_s, self._max_s)
        self._pause_s = 2 * pause_s
        return pause_s * random.uniform(*self._jitter)

    async def wait(self) -> None:
        """Sleep for the next pause."""
        await asyncio.sleep(self.next_s())
