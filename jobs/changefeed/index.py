"""An inverted index from the keys of a change to the filters that may match it.

The cost is proportional to the number of candidate filters, not of all filters. Each filter is
matched once for all of its listeners.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from ostinato.jobs.changefeed.interval_keys import IntervalKey, interval_keys_in, interval_keys_of
from ostinato.jobs.changefeed.matching import (
    ChangeFilter,
    Key,
    MatchedChange,
    index_keys_of,
    match,
)
from ostinato.jobs.changes import DocumentChange


class Listener(Protocol):
    """A receiver of matching changes."""

    def on_changes(self, matched: Sequence[MatchedChange]) -> None:
        """Handle the matches of one batch, oldest first; must not block."""


class FilterBucket:
    """The filters with one index key, by interval key."""

    def __init__(self) -> None:
        self._filters: defaultdict[IntervalKey, set[ChangeFilter]] = defaultdict(set)
        self._windows = 0

    def __bool__(self) -> bool:
        return bool(self._filters)

    def add(self, change_filter: ChangeFilter) -> None:
        self._windows += change_filter.has_window
        for key in interval_keys_of(change_filter.job_filter):
            self._filters[key].add(change_filter)

    def remove(self, change_filter: ChangeFilter) -> None:
        self._windows -= change_filter.has_window
        for key in interval_keys_of(change_filter.job_filter):
            self._filters[key].discard(change_filter)
            if not self._filters[key]:
                del self._filters[key]

    def candidates(self, change: DocumentChange) -> Collection[ChangeFilter]:
        """Return the filters that share an interval key with the change."""
        if self._filters.keys() == {None}:
            return self._filters[None]
        keys = interval_keys_in(change, with_intervals=self._windows > 0)
        found = [
            filters
            for key in (self._filters if keys is None else keys)
            if (filters := self._filters.get(key))
        ]
        return found[0] if len(found) == 1 else set().union(*found)


class SubscriptionIndex:
    """The listeners by filter, and the filters by index key."""

    def __init__(self) -> None:
        self._listeners: dict[ChangeFilter, set[Listener]] = {}
        self._buckets: defaultdict[Key, FilterBucket] = defaultdict(FilterBucket)
        self._labeled = 0
        """The number of filters that are indexed by a label, which most changes need not read."""

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, change_filter: ChangeFilter, listener: Listener) -> None:
        if change_filter not in self._listeners:
            self._listeners[change_filter] = set()
            for key in change_filter.index_keys:
                self._buckets[key].add(change_filter)
            self._labeled += change_filter.is_indexed_by_label
        self._listeners[change_filter].add(listener)

    def leave(self, change_filter: ChangeFilter, listener: Listener) -> None:
        """Remove a listener; a no-op if there is none."""
        listeners = self._listeners.get(change_filter, set())
        listeners.discard(listener)
        if not listeners and self._listeners.pop(change_filter, None) is not None:
            self._labeled -= change_filter.is_indexed_by_label
            for key in change_filter.index_keys:
                bucket = self._buckets[key]
                bucket.remove(change_filter)
                if not bucket:
                    del self._buckets[key]

    def publish(self, changes: Iterable[DocumentChange]) -> None:
        """Match a batch, and call the listeners of every matching filter."""
        if not self._listeners:
            return
        matched: defaultdict[ChangeFilter, list[MatchedChange]] = defaultdict(list)
        for change in changes:
            for change_filter in self.candidates(change):
                if found := match(change_filter, change):
                    matched[change_filter].append(found)
        for change_filter, found_changes in matched.items():
            for listener in self._listeners[change_filter]:
                listener.on_changes(found_changes)

    def candidates(self, change: DocumentChange) -> Iterator[ChangeFilter]:
        """Return the filters that share an index key and an interval key with the change."""
        for key in index_keys_of(change, with_labels=self._labeled > 0):
            if bucket := self._buckets.get(key):
                yield from bucket.candidates(change)
