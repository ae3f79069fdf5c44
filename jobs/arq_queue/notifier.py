"""Signals between processes over pub/sub. A signal may be lost, duplicated or late."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from arq.connections import ArqRedis

from ostinato.jobs.arq_queue.connection import (
    CONNECT_TIMEOUT_S,
    REDIS_ERRORS,
    fix_for,
    reconnect_backoff,
)
from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled
from ostinato.jobs.async_tools.timeouts import response_timeout
from ostinato.jobs.logs import RepeatedWarning, get_log

POLL_S: Final = 1.0
# Counted in polls, not seconds: a blocked event loop must not count as silence.
POLLS_UNTIL_PING: Final = 2  # polls without a message before a PING is sent
POLLS_UNTIL_RECONNECT: Final = 5  # polls without a message before a reconnect
PING_TIMEOUT_S: Final = (POLLS_UNTIL_RECONNECT - POLLS_UNTIL_PING) * POLL_S
NOTIFY_WITHIN: Final = timedelta(seconds=2)
"""A job due later needs no signal: the dispatcher finds it at its next poll, before it is due."""

log = get_log(__name__)


class Signal(StrEnum):
    """Signals that wake other processes."""

    DUE = "due"
    """Jobs were scheduled, or slots were freed: the dispatcher polls for due jobs."""
    WORK = "work"
    """A chunk was enqueued: workers read the queue."""
    QUEUES = "queues"
    """A queue was paused or resumed: workers read the settings of all queues."""
    CANCEL = "cancel"
    """Running jobs were canceled: workers reconcile their attempts."""


_SIGNALS: Final = frozenset(signal.value for signal in Signal)

OnSignal = Callable[[Signal], None]


class Notifier:
    """Sends and receives signals; concurrent signals share one message."""

    def __init__(self, redis: ArqRedis, prefix: str) -> None:
        self._redis = redis
        # Processes of older and newer versions run at once: they must use the same channel.
        self._channel = f"{prefix}:doorbell"
        self._pending: set[Signal] = set()
        self._publishing: asyncio.Task[None] | None = None
        self._is_closed = False

    def notify(self, signal: Signal) -> None:
        """Send a signal to all listeners, without waiting for Redis.

        If Redis is unavailable or the notifier is closed, the signal is lost: the listeners also
        poll.
        """
        if self._is_closed:
            return
        self._pending.add(signal)
        if self._publishing is None or self._publishing.done():
            self._publishing = asyncio.create_task(self._publish_pending(), name="notifier")

    async def listen(self, on_signal: OnSignal) -> None:
        """Call `on_signal` for each received signal until canceled; reconnects with backoff.

        After each connect, calls it for every kind of signal, since some may have been missed. An
        unresponsive connection is replaced.
        """
        pause, backoff, lost = 0.0, reconnect_backoff(), RepeatedWarning(log, "notifier.lost")
        while True:
            since = time.monotonic()
            try:
                await self._listen(on_signal)
            except REDIS_ERRORS as error:
                pause = backoff.next_s(time.monotonic() - since)
                lost.write(error, fix=fix_for(error), retry_in_s=pause)
            reraise_if_cancelled()
            await asyncio.sleep(pause)

    async def ping(self) -> None:
        """Raise if Redis does not answer."""
        await self._redis.ping()

    async def is_reachable(self) -> bool:
        """Return whether Redis is reachable."""
        try:
            await self.ping()
        except REDIS_ERRORS:
            return False
        return True

    async def warn_if_unreachable(self) -> None:
        """Log a warning with the fix if Redis does not answer within CONNECT_TIMEOUT_S."""
        try:
            async with response_timeout(CONNECT_TIMEOUT_S, "Redis"):
                await self.ping()
        except REDIS_ERRORS as error:
            log.warning("redis.unreachable", error=str(error), fix=fix_for(error))

    async def close(self) -> None:
        """Wait until all signals are sent. Later ones are dropped: they would open a connection
        that nothing closes."""
        self._is_closed = True
        while self._publishing is not None and not self._publishing.done():
            await self._publishing

    async def _listen(self, on_signal: OnSignal) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            silent_polls = 0
            while silent_polls < POLLS_UNTIL_RECONNECT:
                message = await pubsub.get_message(timeout=POLL_S)
                reraise_if_cancelled()
                silent_polls = 0 if message else silent_polls + 1
                for signal in _signals_in(message):
                    on_signal(signal)
                if silent_polls == POLLS_UNTIL_PING:
                    await pubsub.ping()
        raise ConnectionError(f"no reply to PING within {PING_TIMEOUT_S:.0f} s")

    async def _publish_pending(self) -> None:
        try:
            while self._pending:
                text, self._pending = ",".join(sorted(self._pending)), set()
                await self._publish(text)
        finally:
            self._publishing = None

    async def _publish(self, text: str) -> None:
        try:
            await self._redis.publish(self._channel, text)
        except REDIS_ERRORS as error:
            log.debug("notifier.not_published", error=str(error))


def _signals_in(message: dict[str, Any] | None) -> list[Signal]:
    """Return the signals in a message; every signal if the message confirms the subscription."""
    if message is None:
        return []
    if message["type"] == "subscribe":
        return list(Signal)
    text = message["data"].decode(errors="replace").split(",")
    return [Signal(each) for each in text if each in _SIGNALS]
