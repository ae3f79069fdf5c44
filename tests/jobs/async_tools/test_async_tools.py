"""Endless loops end when they are cancelled, even when a library swallows the cancellation."""

import asyncio
from contextlib import suppress

import pytest

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.cancellation import reraise_if_cancelled
from ostinato.jobs.async_tools.timeouts import response_timeout, wait_for_event


async def swallow_one_cancellation(started: asyncio.Event) -> None:
    started.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


@pytest.mark.parametrize("waits_for_event", [True, False])
async def test_loop_ends_although_its_cancellation_was_swallowed(waits_for_event: bool) -> None:
    started = asyncio.Event()

    async def loop() -> None:
        while True:
            await swallow_one_cancellation(started)
            if waits_for_event:
                await wait_for_event(asyncio.Event(), 60)
            reraise_if_cancelled()

    task = asyncio.create_task(loop())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)


async def test_waiting_for_an_event_ends_with_the_event() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait_for_event(event, 3_600))
    await asyncio.wait({waiting}, timeout=0.02)
    assert not waiting.done()
    event.set()
    await asyncio.wait_for(waiting, 30)


async def test_waiting_for_an_event_ends_after_the_timeout() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.wait_for(wait_for_event(asyncio.Event(), 0.02), 30)
    assert loop.time() - start >= 0.02


async def test_timeout_error_names_the_server_and_the_time_limit() -> None:
    with pytest.raises(TimeoutError, match=r"^MongoDB did not answer within 0.001 s$"):
        async with response_timeout(0.001):
            await asyncio.Event().wait()


def test_restart_delays_double_up_to_a_maximum_and_reset_after_a_long_run() -> None:
    backoff = Backoff(0.5, 4.0, stable_s=60.0)
    pauses = [backoff.next_s(ran_s) for ran_s in (0, 1, 2, 60, 0, 61, 0)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 0.5, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_jitter_keeps_a_delay_within_its_bounds() -> None:
    backoff = Backoff(1.0, 1.0, jitter=(0.5, 1.5))
    pauses = [backoff.next_s() for _ in range(100)]
    assert 0.5 <= min(pauses) < max(pauses) <= 1.5
