"""Finds who hears of a change: cost grows with the groups that match, not with those that exist.

A group judges a change once for all of its members. What is executed once for many readers
belongs in a group as one member.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from ostinato.jobs.changes import Change
from ostinato.jobs.hub.marks import Mark, marks_in, marks_of
from ostinato.jobs.hub.watch import Key, Notice, Watch, judge, offered_by


class Member(Protocol):
    """Whoever is handed notices; must return at once."""

    def offer(self, notices: Sequence[Notice]) -> None:
        """Take the notices of one batch, oldest first."""


class Seekers:
    """Watches that seek the same, by the marks that tell their filters apart."""

    def __init__(self) -> None:
        self._watches: defaultdict[Mark, set[Watch]] = defaultdict(set)
        self._windows = 0

    def __bool__(self) -> bool:
        return bool(self._watches)

    def add(self, watch: Watch) -> None:
        self._windows += watch.has_window
        for mark in marks_of(watch.job_filter):
            self._watches[mark].add(watch)

    def remove(self, watch: Watch) -> None:
        self._windows -= watch.has_window
        for mark in marks_of(watch.job_filter):
            self._watches[mark].discard(watch)
            if not self._watches[mark]:
                del self._watches[mark]

    def that_may_want(self, change: Change) -> Collection[Watch]:
        if self._watches.keys() == {None}:
            return self._watches[None]
        marks = marks_in(change, with_pieces=self._windows > 0)
        found = [
            watches
            for mark in (self._watches if marks is None else marks)
            if (watches := self._watches.get(mark))
        ]
        return found[0] if len(found) == 1 else set().union(*found)


class Groups:
    """The live members by watch, and the watches by what they seek."""

    def __init__(self) -> None:
        self._members: dict[Watch, set[Member]] = {}
        self._seekers: defaultdict[Key, Seekers] = defaultdict(Seekers)

    def __len__(self) -> int:
        return len(self._members)

    def join(self, watch: Watch, member: Member) -> None:
        if watch not in self._members:
            self._members[watch] = set()
            self._seekers[watch.sought].add(watch)
        self._members[watch].add(member)

    def leave(self, watch: Watch, member: Member) -> None:
        """Forget a member; harmless when it is not there."""
        members = self._members.get(watch, set())
        members.discard(member)
        if not members and self._members.pop(watch, None) is not None:
            seekers = self._seekers[watch.sought]
            seekers.remove(watch)
            if not seekers:
                del self._seekers[watch.sought]

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
            if seekers := self._seekers.get(key):
                yield from seekers.that_may_want(change)

    def _concerned(self, change: Change) -> Iterator[tuple[Watch, Notice]]:
        for watch in self.candidates(change):
            if notice := judge(watch, change):
                yield watch, notice
