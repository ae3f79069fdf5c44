"""Runs subscriptions: each client gets a session, and equal sessions share their executions.

A session first yields the opening messages of its live query, up to READY. They are shared as a
snapshot if they do not depend on a cursor. Then it joins a broadcast of the changes. After a reset,
it restarts.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple

from ostinato.jobs.errors import HistoryLost, QuotaExceeded, TooManyRequests
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, Reset, ResumePoint
from ostinato.schema.errors import format_exception
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.encoding import EncodedResult, comparable_json
from ostinato.schema.execution.fingerprint import OperationFingerprint
from ostinato.schema.execution.operation_runner import (
    Operation,
    OperationExecutor,
    OperationRunner,
)
from ostinato.schema.execution.root_fields import AFTER
from ostinato.schema.fanout.broadcast import ExecutedItems
from ostinato.schema.fanout.broadcast_registry import BroadcastRegistry
from ostinato.schema.fanout.result_buffer import NOWHERE, PositionedResult
from ostinato.schema.fanout.subscriber import DeliveryOptions, Push, Subscriber
from ostinato.schema.fanout.subscription_memory import HeldMemory, SubscriptionMemory

CHANGES_KEY_EXCLUDES: Final = frozenset({AFTER, "snapshot", "first", "coalesce"})
"""Root field arguments that the key of shared changes excludes.

They affect only where a client starts and what it may skip, not the content of a change.
"""
SNAPSHOT_KEY_EXCLUDES: Final = frozenset({AFTER})
"""Root field arguments that the key of shared snapshots excludes.

Only `after`, because a shared snapshot never depends on a cursor: it serves clients without a
cursor and clients that restart after a reset. The other arguments count.
"""
ANONYMOUS: Final = ""
"""The viewer id in a shared execution, for fields that read the viewer despite `shared=True`."""


OpenSubscription = Callable[[str], AbstractContextManager[None]]
"""Counts an open subscription of a user; entering raises QuotaExceeded beyond the quota."""


def without_limit(_user: str) -> AbstractContextManager[None]:
    return nullcontext()


class SubscriptionRunner:
    """The subscriptions of a process, and the broadcasts that they share."""

    def __init__(
        self,
        runner: OperationRunner,
        max_results: int,
        open_subscription: OpenSubscription = without_limit,
    ) -> None:
        """Buffer at most `max_results` results per broadcast for slow clients."""
        self.memory = SubscriptionMemory(runner.max_subscription_bytes)
        self._runner = runner
        self._open_subscription = open_subscription
        self.broadcasts = BroadcastRegistry(max_results)

    async def results(
        self, operation: Operation, viewer: Viewer | None, push: Push | None = None
    ) -> AsyncGenerator[EncodedResult, None]:
        """Yield the results that were not pushed; raises RequestRejected."""
        with (
            self._runner.metrics.count_end(operation.kind),
            self._opened(viewer, operation) as held,
        ):
            executor = self._runner.executor(operation, viewer)
            source = await self._runner.open_source(executor)
            if isinstance(source, LiveQuery):
                for excluded in (SNAPSHOT_KEY_EXCLUDES, CHANGES_KEY_EXCLUDES):
                    await self._runner.prepare_fingerprint(operation, excluded, viewer)
                execution = _LiveExecution(
                    runner=self._runner, operation=operation, viewer=viewer, query=source
                )
                session = SubscriptionSession(execution, self.broadcasts, push, held)
                results = session.results(operation.request.last_event_id)
            else:
                results = self._unshared(executor, viewer, source)
            async with aclosing(results):
                async for result in results:
                    yield result

    @contextmanager
    def _opened(self, viewer: Viewer | None, operation: Operation) -> Iterator[HeldMemory]:
        """Count an open subscription of the viewer; raises RequestRejected beyond the limits."""
        with ExitStack() as stack:
            try:
                if viewer is not None:
                    stack.enter_context(self._open_subscription(viewer.id))
                user = ANONYMOUS if viewer is None else viewer.id
                held = stack.enter_context(self.memory.hold(user, operation))
            except (QuotaExceeded, TooManyRequests) as error:
                raise RequestRejected([format_exception(error)]) from None
            yield held

    async def aclose(self) -> None:
        """End all broadcasts."""
        await self.broadcasts.aclose()

    async def _unshared(
        self, executor: OperationExecutor, viewer: Viewer | None, source: AsyncIterable[Any]
    ) -> AsyncGenerator[EncodedResult, None]:
        """Execute the events of a source that is not a live query, for one client."""
        messages = aiter(source)
        try:
            async for message in messages:
                yield await self._runner.execute_event(executor, viewer, message)
                await self.broadcasts.execution_limiter.wait_turn()
        finally:
            if isinstance(messages, AsyncGenerator):
                await messages.aclose()


class SubscriptionSession:
    """The state of one subscription: its cursor and its current source of results."""

    def __init__(
        self,
        execution: "_LiveExecution",
        registry: BroadcastRegistry,
        push: Push | None,
        held: HeldMemory,
    ) -> None:
        self._execution = execution
        self._held = held
        self._registry = registry
        self._options = DeliveryOptions(push, execution.query.coalesce)
        self._cursor: str | None = None
        """The cursor of the newest result."""
        self._ended_with: ResumePoint | Reset | None = None
        """How the last source ended: the position to continue from, or a reset."""

    async def results(self, last_event_id: str | None) -> AsyncGenerator[EncodedResult, None]:
        """Yield each result that was not pushed; the query's `after` argument takes precedence."""
        given = self._execution.query.after
        source = self._opening(last_event_id if given is None else given)
        while True:
            async with aclosing(source) as results:
                async for encoded in results:
                    yield encoded
            end, self._ended_with = self._ended_with, None
            if end is None:
                return
            source = (
                self._opening(self._cursor, restart=True)
                if isinstance(end, Reset)
                else self._changes(end)
            )

    def _opening(
        self, after: str | None, *, restart: bool = False
    ) -> AsyncGenerator[EncodedResult, None]:
        """Yield the opening messages: a shared snapshot, unless they depend on a cursor."""
        key = self._execution.snapshot_key() if restart or after is None else None
        if key is not None:
            return self._shared_snapshot(key, restart=restart)
        return self._alone(self._execution.opening(after, restart=restart, shared=False))

    async def _shared_snapshot(
        self, key: Hashable, *, restart: bool
    ) -> AsyncGenerator[EncodedResult, None]:
        execute = partial(self._execution.opening, None, restart=restart, shared=True)
        snapshots, key = self._registry.snapshots, (key, restart)
        subscriber = snapshots.join(key, execute, DeliveryOptions(self._options.push))
        self._held.subscriber = subscriber
        try:
            while (encoded := await subscriber.next()) is not None:
                yield encoded
        finally:
            self._held.subscriber = None
            snapshots.leave(key, subscriber)
        self._record_end(subscriber)

    async def _changes(self, start: ResumePoint) -> AsyncGenerator[EncodedResult, None]:
        """Yield the changes after `start` from a broadcast.

        If the broadcast fails only because its other subscribers lost history, execute alone.
        """
        key, others_lost_history = self._execution.changes_key(), False
        execute = partial(self._execution.changes, shared=True)
        subscriber = self._registry.join(key, start, execute, self._options)
        self._held.subscriber = subscriber
        try:
            while (encoded := await subscriber.next()) is not None:
                yield encoded
        except HistoryLost:
            others_lost_history = subscriber.others_lost_history
            if not others_lost_history:
                raise
        finally:
            self._held.subscriber = None
            self._registry.leave(subscriber)
        self._record_end(subscriber)
        if others_lost_history:
            async with aclosing(self._alone(self._execution.changes(start, shared=False))) as alone:
                async for encoded in alone:
                    yield encoded

    async def _alone(self, items: ExecutedItems) -> AsyncGenerator[EncodedResult, None]:
        """Yield the results of an unshared execution, until a broadcast can continue."""
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, PositionedResult):
                    self._ended_with = item
                    return
                self._cursor = item.encoded.cursor
                yield item.encoded
                await self._registry.execution_limiter.wait_turn()

    def _record_end(self, subscriber: Subscriber) -> None:
        self._cursor = subscriber.cursor or self._cursor
        self._ended_with = subscriber.ended_with


@dataclass(frozen=True, slots=True, kw_only=True)
class _LiveExecution:
    """Executes a live query for one client, or `shared`: for all clients with an equal one.

    A shared execution may outlive the session that started it.
    """

    runner: OperationRunner
    operation: Operation
    viewer: Viewer | None
    query: LiveQuery[Any]

    def snapshot_key(self) -> Hashable | None:
        """Return the key that equal snapshots share; None if the field has no snapshot."""
        fingerprint = self.runner.fingerprint(self.operation, SNAPSHOT_KEY_EXCLUDES)
        return self._identity(fingerprint).key if fingerprint.has_snapshot else None

    def changes_key(self) -> Hashable:
        """Return the key that equal streams of changes share."""
        return self._identity(self._changes_fingerprint()).key

    def opening(self, after: str | None, *, restart: bool, shared: bool) -> ExecutedItems:
        return self._executed(self.query.opening(after, restart=restart), shared)

    def changes(self, start: ResumePoint, *, shared: bool) -> ExecutedItems:
        return self._executed(self.query.changes(start), shared)

    async def _executed(
        self, items: AsyncGenerator[LiveItem[Any], None], shared: bool
    ) -> ExecutedItems:
        viewer = self._identity(self._changes_fingerprint()).viewer if shared else self.viewer
        executor = self.runner.executor(self.operation, viewer)
        async with aclosing(items):
            async for item in items:
                if isinstance(item, ResumePoint | Reset):
                    yield item
                else:
                    encoded = await self.runner.execute_event(executor, viewer, item)
                    yield PositionedResult(encoded, getattr(item, "event_position", NOWHERE))

    def _changes_fingerprint(self) -> OperationFingerprint:
        return self.runner.fingerprint(self.operation, CHANGES_KEY_EXCLUDES)

    def _identity(self, fingerprint: OperationFingerprint) -> "SharedIdentity":
        return shared_identity(fingerprint, self.operation.request.variables, self.viewer)


class SharedIdentity(NamedTuple):
    """What makes subscriptions equal, so that they share one execution."""

    key: Hashable
    """Equal for equal subscriptions."""
    viewer: Viewer | None
    """The viewer that the shared execution runs as."""


def shared_identity(
    fingerprint: OperationFingerprint, variables: Mapping[str, Any] | None, viewer: Viewer | None
) -> SharedIdentity:
    """Return the key of equal subscriptions, and the viewer of their shared execution.

    The key contains the viewer's id only if a selected field can differ between viewers with the
    same scope and roles.
    """
    given = {
        name: value for name, value in (variables or {}).items() if name in fingerprint.variables
    }
    values = comparable_json(given)
    if viewer is None or fingerprint.reads_viewer:
        return SharedIdentity((fingerprint.text, values, viewer), viewer)
    shared_viewer = replace(viewer, id=viewer.scope or ANONYMOUS, expires_at=None)
    return SharedIdentity((fingerprint.text, values, shared_viewer), shared_viewer)
