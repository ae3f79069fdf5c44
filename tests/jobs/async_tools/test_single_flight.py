"""A read that takes long is repeated less often."""

import asyncio
from types import SimpleNamespace

import pytest

from ostinato.jobs.async_tools import single_flight
from ostinato.jobs.async_tools.single_flight import REST, RestingFlight


@pytest.mark.parametrize(("took_s", "reads"), [(0.0, 2), (3_600.0 / REST, 1)])
async def test_a_read_is_followed_by_a_rest_of_ten_times_its_duration(
    monkeypatch: pytest.MonkeyPatch, took_s: float, reads: int
) -> None:
    clock = SimpleNamespace(monotonic=iter((0.0, took_s, took_s, took_s)).__next__)
    monkeypatch.setattr(single_flight, "time", clock)
    begun: list[None] = []

    async def read() -> int:
        begun.append(None)
        return len(begun)

    flight = RestingFlight(read)
    first, second = await asyncio.gather(flight.get(0), flight.get(0))
    assert first == second == 1
    assert await flight.get(-1) == len(begun) == reads
