"""Quarantine: failed keys are skipped, longer after each failure."""

import pytest

from ostinato.jobs.quarantine import Quarantine


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_is_quarantined_until_its_pause_ends(clock: Clock) -> None:
    quarantine: Quarantine[str] = Quarantine(10, 60.0, now=clock)
    assert quarantine.add("a") == 60.0
    assert ("a" in quarantine, quarantine.keys()) == (True, frozenset({"a"}))
    clock.time = 60.0
    assert ("a" in quarantine, quarantine.keys()) == (False, frozenset())


def test_the_pause_of_a_key_doubles_up_to_a_maximum_until_it_is_removed(clock: Clock) -> None:
    quarantine: Quarantine[str] = Quarantine(10, 10.0, 30.0, now=clock)
    pauses = []
    for _ in range(4):
        pauses.append(quarantine.add("a"))
        clock.time += 100.0
        assert quarantine.keys() == frozenset()
    quarantine.remove("a")
    assert (pauses, quarantine.add("a")) == ([10.0, 20.0, 30.0, 30.0], 10.0)


def test_the_newest_key_replaces_the_oldest(clock: Clock) -> None:
    quarantine: Quarantine[int] = Quarantine(2, 60.0, now=clock)
    for key in range(3):
        quarantine.add(key)
    assert quarantine.keys() == frozenset({1, 2})
