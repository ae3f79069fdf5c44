"""The doorbell: a word to whoever waits, over pub/sub. Any ring may be lost, doubled or late."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from arq.connections import ArqRedis

from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.queue.connection import CONNECT_TIMEOUT_S, RedisFailure, next_pause_s, remedy
from ostinato.jobs.waiting import answered_within, end_if_cancelled

LISTEN_S: Final = 1.0
# Counted in listens: when the loop was blocked, nobody has listened, and nothing is late.
QUIET: Final = 2  # without a word: the server is asked whether it is there
DEAD: Final = 5  # no answer either
SOON: Final = timedelta(seconds=2)
"""What is due later is found without a ring: the dispatcher looks every second."""

log = get_log(__name__)


class Bell(StrEnum):
    """What there is to do."""

    DUE = "due"
    """Jobs were scheduled, or slots became free: the dispatcher looks again."""
    WORK = "work"
    """A chunk is in the queue: workers look."""
    QUEUES = "queues"
    """A queue was paused or resumed: workers look which."""
    CANCEL = "cancel"
    """The end of running jobs was asked for: workers look at theirs."""


_WORDS: Final = frozenset(bell.value for bell in Bell)

Heard = Callable[[Bell], None]


class Doorbell:
    """Rings and hears; rings at the same time share one message."""

    def __init__(self, redis: ArqRedis, prefix: str) -> None:
        self._redis = redis
        self._channel = f"{prefix}:doorbell"
        self._bells: set[Bell] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, bell: Bell) -> None:
        """Have everybody told who listens; nobody waits for Redis, and if it is away, the timers
        will do."""
        self._bells.add(bell)
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring(), name="doorbell")

    async def listen(self, heard: Heard) -> None:
        """Call `heard` for each ring, for ever; reconnects with backoff.

        Once a connection listens it is called for every bell, since rings may have been missed. One
        that has gone dead without a word is replaced, too.
        """
        pause, lost = 0.0, RepeatedWarning(log, "doorbell.lost")
        while True:
            since = time.monotonic()
            try:
                await self._listen(heard)
            except RedisFailure as error:
                pause = next_pause_s(pause, time.monotonic() - since)
                lost.write(error, fix=remedy(error), retry_in_s=pause)
            end_if_cancelled()
            await asyncio.sleep(pause)

    async def ping(self) -> None:
        """Raise if Redis does not answer."""
        await self._redis.ping()

    async def answers(self) -> bool:
        """Return whether Redis answers."""
        try:
            await self.ping()
        except RedisFailure:
            return False
        return True

    async def warn_if_lost(self) -> None:
        """Log a warning, with what to do, if Redis does not answer within a second or so."""
        try:
            async with answered_within(CONNECT_TIMEOUT_S, "Redis"):
                await self.ping()
        except RedisFailure as error:
            log.warning("redis.unreachable", error=str(error), fix=remedy(error))

    async def close(self) -> None:
        """Wait until whoever listens was told."""
        while self._ringing is not None and not self._ringing.done():
            await self._ringing

    async def _listen(self, heard: Heard) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            silent = 0
            while silent < DEAD:
                message = await pubsub.get_message(timeout=LISTEN_S)
                end_if_cancelled()
                silent = 0 if message else silent + 1
                for bell in _rung(message):
                    heard(bell)
                if silent == QUIET:
                    await pubsub.ping()
        raise ConnectionError(f"no answer to a PING within {(DEAD - QUIET) * LISTEN_S:.0f} s")

    async def _ring(self) -> None:
        try:
            while self._bells:
                words, self._bells = ",".join(sorted(self._bells)), set()
                await self._publish(words)
        finally:
            self._ringing = None

    async def _publish(self, words: str) -> None:
        try:
            await self._redis.publish(self._channel, words)
        except RedisFailure as error:
            log.debug("doorbell.unheard", error=str(error))


def _rung(message: dict[str, Any] | None) -> list[Bell]:
    """Give what was rung, or may have been before this one listened; an answer is no ring."""
    if message is None:
        return []
    if message["type"] == "subscribe":
        return list(Bell)
    words = message["data"].decode(errors="replace").split(",")
    return [Bell(word) for word in words if word in _WORDS]
