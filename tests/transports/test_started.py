"""Coroutines that run up to where they first wait, and are awaited from there."""

import asyncio

import pytest

from ostinato.schema.transports.started import started


async def waiting(event: asyncio.Event, seen: list[str]) -> str:
    seen.append("started")
    try:
        await event.wait()
        await asyncio.wait_for(event.wait(), 1)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    seen.append("went on")
    return "done"


async def test_what_waits_for_nothing_has_ended() -> None:
    seen: list[str] = []
    assert started(_said(seen)) is None
    assert seen == ["said"]


async def test_what_waits_goes_on_where_it_was() -> None:
    event, seen = asyncio.Event(), list[str]()
    rest = started(waiting(event, seen))
    assert (rest is not None, seen) == (True, ["started"])
    asyncio.get_running_loop().call_soon(event.set)
    assert rest is not None
    assert await rest == "done"
    assert seen == ["started", "went on"]


async def test_deadline_ends_what_waits_too_long() -> None:
    event, seen = asyncio.Event(), list[str]()
    rest = started(waiting(event, seen))
    assert rest is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await rest
    assert seen == ["started", "cancelled"]


async def test_error_before_the_first_wait_is_raised_at_once() -> None:
    with pytest.raises(ValueError, match="broken"):
        started(_broken())


async def _said(seen: list[str]) -> None:
    seen.append("said")


async def _broken() -> None:
    raise ValueError("broken")
