"""The loader makes one read for all loads in one turn of the event loop."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from ostinato.jobs.async_tools.batch_loader import BatchLoader


class Reader:
    """Returns the double of each number, nothing for 0, and records the keys of each read."""

    def __init__(self) -> None:
        self.reads: list[list[int]] = []
        self.started, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self, keys: Collection[int]) -> Mapping[int, int]:
        self.reads.append(sorted(keys))
        self.started.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        return {key: key * 2 for key in keys if key}


@pytest.fixture
def read() -> Reader:
    return Reader()


async def test_loads_of_one_turn_share_one_read(read: Reader) -> None:
    loader = BatchLoader(read)
    found = await asyncio.gather(*(loader.load(key) for key in (1, 2, 2, 0)))
    assert (found, read.reads) == ([2, 4, 4, None], [[0, 1, 2]])


async def test_later_load_reads_again(read: Reader) -> None:
    loader = BatchLoader(read)
    await loader.load(1)
    await loader.load(1)
    assert read.reads == [[1], [1]]


async def test_load_without_a_key_returns_none_without_a_read(read: Reader) -> None:
    assert await BatchLoader(read).load(None) is None
    assert read.reads == []


async def test_load_of_many_keys_joins_the_read_of_its_turn(read: Reader) -> None:
    loader = BatchLoader(read)
    single, many = await asyncio.gather(loader.load(1), loader.load_many([0, 2]))
    assert (single, many, read.reads) == (2, {1: 2, 2: 4}, [[0, 1, 2]])


async def test_load_of_no_keys_reads_nothing(read: Reader) -> None:
    loader = BatchLoader(read)
    waiting = asyncio.create_task(loader.load(1))
    assert await loader.load_many([]) == {}
    assert (await waiting, read.reads) == (2, [[1]])


async def test_load_during_a_read_starts_the_next_read(read: Reader) -> None:
    loader = BatchLoader(read)
    read.gate.clear()
    first = asyncio.create_task(loader.load(1))
    await read.started.wait()
    read.started.clear()
    second = asyncio.create_task(loader.load(1))
    await read.started.wait()
    read.gate.set()
    assert list(await asyncio.gather(first, second)) == [2, 2]
    assert read.reads == [[1], [1]]


async def test_failed_read_fails_all_waiters(read: Reader) -> None:
    loader, read.error = BatchLoader(read), ValueError("away")
    found = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert [str(error) for error in found] == ["away", "away"]


async def test_waiter_survives_a_canceled_reader(read: Reader) -> None:
    loader = BatchLoader(read)
    read.gate.clear()
    leader, follower = (asyncio.create_task(loader.load(key)) for key in (1, 2))
    await read.started.wait()
    leader.cancel()
    read.gate.set()
    assert await follower == 4
    assert leader.cancelled()
    assert read.reads == [[1, 2], [2]]


async def test_waiter_starts_a_read_whose_leader_was_canceled(read: Reader) -> None:
    loader = BatchLoader(read)
    leader, follower = (asyncio.create_task(loader.load(key)) for key in (1, 2))
    asyncio.get_running_loop().call_soon(leader.cancel)
    assert await follower == 4
    assert (leader.cancelled(), read.reads) == (True, [[2]])


async def test_canceled_waiter_does_not_affect_others(read: Reader) -> None:
    loader = BatchLoader(read)
    read.gate.clear()
    tasks = [asyncio.create_task(loader.load(1)) for _ in range(3)]
    await read.started.wait()
    tasks[1].cancel()
    read.gate.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found[0], found[2]] == [2, 2]
