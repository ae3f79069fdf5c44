"""Groups without MongoDB: who rides with whom, who waits for whom, and what is kept."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import SlowConsumer
from ostinato.resolvers.changes import Joint, Leg, Place
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.transports import group
from ostinato.schema.transports.groups import Groups
from ostinato.schema.transports.log import ALL_KEPT_BYTES, KEPT_BYTES, LOG_BYTES, Log, Room
from ostinato.schema.transports.members import Member, Reader, Told
from ostinato.schema.transports.turns import Turns
from tests.live.test_turns import next_turn
from tests.processes import eventually

LIMIT = 10
TAKES_ALL = Reader(lambda _batch: True)
TAKES_NONE = Reader(None)


def position(number: int) -> Position:
    return Position(f"{number:04}")


def joint(number: int) -> Joint:
    return Joint(position=position(number))


@dataclass
class History:
    """Tell what happened up to `present`, and count what that costs."""

    present: int
    executed: int = 0
    legs: list[Leg] = field(default_factory=list)

    async def told(self, leg: Leg) -> AsyncGenerator[Told, None]:
        self.legs.append(leg)
        assert leg.begins_at is not None
        for number in range(int(leg.begins_at.position) + 1, self.present + 1):
            self.executed += 1
            yield Told(EncodedResult(b"{}", str(number)), Place(position(number)))
        if leg.ends_at_joint:
            leg.joint = joint(self.present)
        else:
            await asyncio.Event().wait()


async def read(member: Member) -> list[int]:
    """Take results one by one until the last of the history."""
    taken = [await member.next()]
    while taken[-1] is not None and taken[-1].cursor != "100":
        taken.append(await member.next())
    return [int(str(each.cursor)) for each in taken if each is not None]


@pytest.fixture
async def groups() -> AsyncGenerator[Groups, None]:
    groups = Groups(LIMIT)
    yield groups
    await groups.aclose()


async def test_those_who_come_at_once_are_told_from_the_oldest_joint_on(groups: Groups) -> None:
    history, behind = History(100), [70, 20, 90]
    members = [groups.join("k", joint(each), history.told, TAKES_NONE) for each in behind]
    told = await asyncio.gather(*map(read, members))
    assert told == [list(range(each + 1, 101)) for each in behind]
    assert history.executed == 80
    assert len(groups) == 1


async def test_group_goes_live_where_it_has_caught_up(groups: Groups) -> None:
    history = History(100)
    member = groups.join("k", joint(95), history.told, TAKES_ALL)
    taking = asyncio.create_task(member.next())
    await eventually(lambda: len(history.legs) == 2)
    assert history.legs[1] == Leg(begins_at=joint(100), ends_at_reset=True)
    taking.cancel()


async def test_who_comes_late_takes_what_is_kept(groups: Groups) -> None:
    history = History(100)
    first = groups.join("k", joint(90), history.told, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: len(history.legs) == 2 and first.number == 10)
    late = groups.join("k", joint(96), history.told, TAKES_NONE)
    assert await read(late) == [97, 98, 99, 100]
    assert history.executed == 10
    taking.cancel()


async def test_who_comes_too_late_for_that_catches_up_and_joins(groups: Groups) -> None:
    history = History(100)
    first = groups.join("k", joint(90), history.told, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: len(history.legs) == 2)
    late = groups.join("k", joint(80), history.told, TAKES_NONE)
    assert await read(late) == list(range(81, 101))
    assert await late.next() is None
    assert late.joint == joint(100)
    again = groups.join("k", joint(100), history.told, TAKES_NONE)
    assert again.group is first.group
    taking.cancel()


async def test_who_catches_up_without_others_is_waited_for(groups: Groups) -> None:
    history = History(100)
    member = groups.join("k", joint(0), history.told, TAKES_NONE)
    await eventually(lambda: history.executed > LIMIT)
    for _ in range(3):
        await next_turn()
    assert history.executed == LIMIT + 1
    assert await read(member) == list(range(1, 101))


async def test_slowest_holds_up_the_others_only_for_so_long(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "PATIENCE_S", 0.05)
    history = History(100)
    slow = groups.join("k", joint(0), history.told, TAKES_NONE)
    other = groups.join("k", joint(0), history.told, TAKES_NONE)
    assert await read(other) == list(range(1, 101))
    with pytest.raises(SlowConsumer):
        await slow.next()


async def test_own_joint_counts_where_it_is_further_than_the_group_s_end(groups: Groups) -> None:
    history = History(100)
    first = groups.join("k", joint(100), history.told, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: len(history.legs) == 2)
    groups.join("k", joint(80), history.told, TAKES_ALL)
    catching_up = next(each for each in groups if each is not first.group)
    ahead = Member(catching_up, joint(105), TAKES_ALL, Turns())
    assert await ahead.next() is None
    assert ahead.joint == joint(105)
    taking.cancel()


async def test_more_groups_keep_less_each(groups: Groups) -> None:
    room = groups.room
    assert room.kept_bytes == KEPT_BYTES
    members = [groups.join(n, joint(0), History(0).told, TAKES_NONE) for n in range(1_000)]
    assert 1_000 * room.kept_bytes <= ALL_KEPT_BYTES
    for member in members:
        groups.leave(member)
    await eventually(lambda: room.kept_bytes == KEPT_BYTES)


def test_log_is_over_full_by_number_or_by_bytes() -> None:
    log = Log(position(0), Room(LIMIT))
    for number in range(1, LIMIT + 1):
        log.append(Told(EncodedResult(b"{}", None), Place(position(number))))
    assert not log.is_over_full()
    log.append(Told(EncodedResult(b"{}", None), Place(position(LIMIT + 1))))
    assert log.is_over_full()
    log = Log(position(0), Room(LIMIT))
    log.append(Told(EncodedResult(b" " * LOG_BYTES, None), Place(position(1))))
    assert log.is_over_full()
