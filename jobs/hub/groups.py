"""Finds who hears of a change: cost grows with the groups that match, not with those that exist.

A group judges a change once for all of its members. What is executed once for many readers
belongs in a group as one member.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from jobs.changes import Change
from jobs.hub.watch import Key, Notice, Watch, judge, offered_by


class Member(Protocol):
    """Whoever is handed notices; must return at once."""

    def offer(self, notices: Sequence[Notice]) -> None:
        """Take the notices of one batch, oldest first."""


class Groups:
    """The live members by watch, and the watches by what they seek."""

    def __init__(self) -> None:
        self._members: dict[Watch, set[Member]] = {}
        self._watches: defaultdict[Key, set[Watch]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._members)

    def join(self, watch: Watch, member: Member) -> None:
        self._members.setdefault(watch, set()).add(member)
        self._watches[watch.sought].add(watch)

    def leave(self, watch: Watch, member: Member) -> None:
        """Forget a member; harmless when it is not there."""
        members = self._members.get(watch, set())
        members.discard(member)
        if not members and self._members.pop(watch, None) is not None:
            self._watches[watch.sought].discard(watch)
            if not self._watches[watch.sought]:
                del self._watches[watch.sought]

    def publish(self, changes: Iterable[Change]) -> None:
        """Hand a batch to everybody it concerns."""
        if not self._members:
            return
        notices: defaultdict[Watch, list[Notice]] = defaultdict(list)
        for change in changes:
            for watch, notice in self._concerned(change):
                notices[watch].append(notice)
        for watch, concerning in notices.items():
            for member in self._members[watch]:
                member.offer(concerning)

    def candidates(self, change: Change) -> Iterator[Watch]:
        """Find the watches that have to be asked whether the change concerns them."""
        for key in offered_by(change):
            yield from self._watches.get(key, ())

    def _concerned(self, change: Change) -> Iterator[tuple[Watch, Notice]]:
        for watch in self.candidates(change):
            if notice := judge(watch, change):
                yield watch, notice
