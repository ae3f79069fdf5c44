"""Each item of a group commit gets its own result, in order and independent of the others."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from ostinato.jobs.async_tools.group_commit import GroupCommit, Interrupted


class Ledger:
    """Commits numbers: negative ones fail alone, a zero fails its whole group."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def commit(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(items))
        await asyncio.to_thread(self.groups.copy)
        if 0 in items:
            raise ConnectionError("a zero")
        return [item * 2 if item > 0 else ValueError(item) for item in items]


async def submit_all(ledger: Ledger, items: list[int], limit: int) -> list[int | BaseException]:
    group: GroupCommit[int, int] = GroupCommit(ledger.commit, limit)
    results = await asyncio.gather(*map(group.submit, items), return_exceptions=True)
    await group.close()
    return results


@given(items=lists(integers(-3, 9), max_size=30), limit=integers(1, 7))
def test_each_item_gets_its_own_result_in_order(items: list[int], limit: int) -> None:
    ledger = Ledger()
    results = asyncio.run(submit_all(ledger, items, limit))
    assert [item for group in ledger.groups for item in group] == items
    assert all(len(group) <= limit for group in ledger.groups)
    for group in ledger.groups:
        for item in group:
            result = results.pop(0)
            expected = ConnectionError if 0 in group else int if item > 0 else ValueError
            assert isinstance(result, expected)
            assert not isinstance(result, int) or result == item * 2


async def test_items_submitted_together_share_a_write() -> None:
    ledger = Ledger()
    await submit_all(ledger, list(range(1, 101)), 1_000)
    assert len(ledger.groups) == 1


async def test_group_ends_with_the_item_that_reaches_the_maximum_weight() -> None:
    ledger = Ledger()
    group: GroupCommit[int, int] = GroupCommit(ledger.commit, 3, max_weight=10)
    weights = {1: 4, 2: 6, 3: 50, 4: 1, 5: 1, 6: 1, 7: 1}
    await asyncio.gather(*(group.submit(item, weight) for item, weight in weights.items()))
    assert ledger.groups == [[1, 2], [3], [4, 5, 6], [7]]


async def test_canceled_caller_leaves_its_item_and_does_not_affect_others() -> None:
    ledger = Ledger()
    group: GroupCommit[int, int] = GroupCommit(ledger.commit, 10)
    canceled, waiting = (asyncio.create_task(group.submit(item)) for item in (1, 2))
    await asyncio.wait({canceled}, timeout=0)
    canceled.cancel()
    assert await waiting == 4
    assert ledger.groups == [[1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await canceled


async def test_canceled_write_leaves_no_caller_waiting() -> None:
    group: GroupCommit[int, int] = GroupCommit(Ledger().commit, 1)
    submitting = [asyncio.create_task(group.submit(item)) for item in (1, 2)]
    await asyncio.wait(submitting, timeout=0)
    assert group._flusher is not None
    group._flusher.cancel()
    results = await asyncio.gather(*submitting, return_exceptions=True)
    assert [type(result) for result in results] == [Interrupted, Interrupted]
    assert await group.submit(3) == 6


async def test_close_succeeds_when_the_last_write_is_canceled() -> None:
    group: GroupCommit[int, int] = GroupCommit(Ledger().commit, 1)
    submitting = asyncio.create_task(group.submit(1))
    await asyncio.wait({submitting}, timeout=0)
    assert group._flusher is not None
    group._flusher.cancel()
    await group.close()
    (result,) = await asyncio.gather(submitting, return_exceptions=True)
    assert isinstance(result, Interrupted)
