"""Endless loops end when they are cancelled, also when a library loses the cancellation."""

import asyncio
from contextlib import suppress

import pytest

from ostinato.jobs.async_wait import reraise_if_cancelled, response_timeout, wait_for_event


async def swallow_one_cancellation(begun: asyncio.Event) -> None:
    begun.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


@pytest.mark.parametrize("waits_for_event", [True, False])
async def test_a_loop_ends_although_its_cancellation_was_swallowed(waits_for_event: bool) -> None:
    begun = asyncio.Event()

    async def loop() -> None:
        while True:
            await swallow_one_cancellation(begun)
            if waits_for_event:
                await wait_for_event(asyncio.Event(), 60)
            reraise_if_cancelled()

    task = asyncio.create_task(loop())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_waiting_ends_with_the_event_or_the_time() -> None:
    event = asyncio.Event()
    await wait_for_event(event, 0.001)
    event.set()
    await wait_for_event(event, 60)
    reraise_if_cancelled()


async def test_a_server_that_does_not_answer_is_named_with_the_time_it_had() -> None:
    with pytest.raises(TimeoutError, match=r"^MongoDB did not answer within 0.001 s$"):
        async with response_timeout(0.001):
            await asyncio.Event().wait()
