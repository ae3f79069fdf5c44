"""The limit of what the open subscriptions of a user keep in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.encoding import comparable_json
from ostinato.schema.fanout.subscription_memory import (
    DOCUMENT_FACTOR,
    OVERHEAD_BYTES,
    VARIABLES_FACTOR,
)
from tests.live.watching import ANN, JOBS, SubscriptionRig, Watcher
from tests.live.writing import Writer
from tests.processes import eventually

pytestmark = pytest.mark.audit("memory of subscriptions")

LIMIT_BYTES = 1_048_576
FILTERED = "subscription($f: JobFilter) { jobsChanged(filter: $f) { kind } }"
WITH_ARGS = "subscription { jobsChanged { kind job { args } } }"
BOB = Viewer(id="bob")


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_subscription_bytes_per_user": LIMIT_BYTES})


class Opener:
    """Opens subscriptions that stay open until the end of the test."""

    def __init__(self, rig: SubscriptionRig, stack: AsyncExitStack) -> None:
        self._rig = rig
        self._stack = stack

    async def open(self, query: str, viewer: Viewer = ANN, **variables: Any) -> Watcher:
        watcher = self._rig.watch(query, viewer, **variables)
        await watcher.ready()
        return await self._stack.enter_async_context(watcher)

    async def refusal(self, query: str, **variables: Any) -> str | None:
        """Return the code and the message if a subscription is refused; otherwise close it."""
        async with self._rig.watch(query, ANN, **variables) as watcher:
            try:
                await watcher.ready()
            except RequestRejected as rejected:
                (error,) = rejected.errors
                return f"{error['extensions']['code']}: {error['message']}"
        return None


def _is_limit(refusal: str | None) -> bool:
    text = refusal or ""
    return text.startswith("TOO_MANY_REQUESTS") and f"the limit is {LIMIT_BYTES}: end" in text


@pytest.fixture
async def opener(live_rig: SubscriptionRig) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(live_rig, stack)
    assert len(live_rig.subscriptions.memory) == 0


def _document(number: int) -> str:
    return f"{JOBS} # {number}" + "#" * 4_000


async def test_documents_of_open_subscriptions_are_limited(opener: Opener) -> None:
    fit = LIMIT_BYTES // (DOCUMENT_FACTOR * len(_document(0)) + OVERHEAD_BYTES)
    for number in range(fit):
        await opener.open(_document(number))
    assert _is_limit(await opener.refusal(_document(fit)))
    await opener.open(_document(fit), BOB)


async def test_equal_documents_count_once(opener: Opener) -> None:
    fit = LIMIT_BYTES // (DOCUMENT_FACTOR * len(_document(0)) + OVERHEAD_BYTES)
    for _ in range(3 * fit):
        await opener.open(_document(0))


async def test_variables_of_open_subscriptions_are_limited(opener: Opener) -> None:
    large = {"states": ["PENDING"] * 900, "functionName": "f0"}
    fit = LIMIT_BYTES // (VARIABLES_FACTOR * len(comparable_json({"f": large})) + OVERHEAD_BYTES)
    for number in range(fit - 1):
        await opener.open(FILTERED, f={**large, "functionName": f"f{number}"})
    assert _is_limit(await opener.refusal(FILTERED, f={**large, "states": ["PENDING"] * 1_000}))


async def test_closed_subscriptions_free_their_memory(opener: Opener) -> None:
    watchers = [await opener.open(_document(number)) for number in range(4)]
    assert _is_limit(await opener.refusal(_document(4)))
    await watchers[0].results.aclose()
    assert await opener.refusal(_document(5)) is None


async def test_undelivered_results_count(opener: Opener, writer: Writer) -> None:
    slow = await opener.open(WITH_ARGS)
    waiting = asyncio.create_task(slow.next())
    await eventually(lambda: not waiting.done())
    for number in range(20):
        await writer.job(args={"text": f"{number}" + "x" * 60_000})
    await waiting

    async def is_refused() -> bool:
        return _is_limit(await opener.refusal(FILTERED))

    await eventually(is_refused)
    await slow.take(19)
