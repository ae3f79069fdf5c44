"""What the open subscriptions of each user keep in memory, and its limit.

Estimates: a parsed document takes about 50 times its text. A document and a broadcast that several
subscriptions of a user share count once.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.errors import TooManyRequests
from ostinato.schema.execution.documents import PreparedDocument
from ostinato.schema.execution.encoding import comparable_json
from ostinato.schema.execution.operation_runner import RETRY_AFTER_MS, Operation
from ostinato.schema.fanout.subscriber import Subscriber

DOCUMENT_FACTOR: Final = 50
VARIABLES_FACTOR: Final = 8  # of their JSON: an empty list takes 56 bytes
OVERHEAD_BYTES: Final = 8_192  # of the task, the executor and the subscriber
MEASURE_EVERY_S: Final = 0.1  # the buffers of a user: thousands of subscriptions may start at once


@dataclass(slots=True, eq=False)
class HeldMemory:
    """What one open subscription keeps in memory."""

    document: PreparedDocument
    own_bytes: int
    """Its variables and its own objects."""
    subscriber: Subscriber | None = None
    """Its reader of a broadcast, while it has one."""


class _User:
    """What the open subscriptions of one user hold."""

    def __init__(self) -> None:
        self.held: set[HeldMemory] = set()
        self._documents: Counter[int] = Counter()
        self._own_bytes = 0
        self._buffered_bytes = 0
        self._measured_at = -MEASURE_EVERY_S

    def add(self, new: HeldMemory) -> None:
        self.held.add(new)
        self._count(new, 1)

    def remove(self, old: HeldMemory) -> None:
        self.held.discard(old)
        self._count(old, -1)

    def size_bytes(self, now: float) -> int:
        """Return the size; that of the buffers was measured within MEASURE_EVERY_S."""
        if now - self._measured_at >= MEASURE_EVERY_S:
            self._measured_at, self._buffered_bytes = now, _buffered_bytes(self.held)
        return self._own_bytes + self._buffered_bytes

    def _count(self, held: HeldMemory, change: int) -> None:
        document = id(held.document)
        is_shared = self._documents[document] > 0
        self._documents[document] += change
        if not self._documents[document]:
            del self._documents[document]
            is_shared = False
        document_bytes = 0 if is_shared else DOCUMENT_FACTOR * held.document.source_chars
        self._own_bytes += change * (held.own_bytes + document_bytes)


class SubscriptionMemory:
    """The memory that open subscriptions hold, by user."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._users: dict[str, _User] = {}

    def __len__(self) -> int:
        """Return the number of users with open subscriptions."""
        return len(self._users)

    @contextmanager
    def hold(self, user: str, operation: Operation) -> Iterator[HeldMemory]:
        """Count a subscription while it is open; raises TooManyRequests beyond the limit."""
        variables_bytes = VARIABLES_FACTOR * len(comparable_json(operation.request.variables))
        new = HeldMemory(operation.prepared, OVERHEAD_BYTES + variables_bytes)
        holder = self._users.setdefault(user, _User())
        holder.add(new)
        try:
            self._require_within_limit(holder)
            yield new
        finally:
            holder.remove(new)
            if not holder.held:
                del self._users[user]

    def _require_within_limit(self, holder: _User) -> None:
        size_bytes = holder.size_bytes(asyncio.get_running_loop().time())
        if size_bytes > self._limit_bytes:
            raise TooManyRequests(
                f"your open subscriptions would keep {size_bytes} bytes in memory, and the limit "
                f"is {self._limit_bytes}: end some, select less or read faster, or raise "
                "OSTINATO_MAX_SUBSCRIPTION_BYTES_PER_USER on the server",
                RETRY_AFTER_MS,
            )


def _buffered_bytes(held: set[HeldMemory]) -> int:
    subscribers = [each.subscriber for each in held if each.subscriber is not None]
    broadcasts = {each.broadcast for each in subscribers}
    pending_bytes = sum(each.pending_bytes for each in subscribers)
    return pending_bytes + sum(each.buffered_bytes for each in broadcasts)
