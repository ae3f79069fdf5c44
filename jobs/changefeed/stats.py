"""The statistics of a change feed, for the metrics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ostinato.jobs.changes import DocumentChange


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFeedStats:
    """A snapshot of the statistics."""

    following: bool
    changes: int
    """Changes received so far."""
    job_transitions: Mapping[str, int]
    """Number of transitions of non-internal jobs into each state since the start."""
    reopened: int
    invalidated: int
    histories_lost: int
    resets: int
    ring: int
    """Number of changes in the ring."""
    subscriptions: int
    filters: int
    """Number of distinct filters of the subscriptions."""
    replays: int
    """Number of change streams opened so far for replays."""
    probes: int
    """Number of probes of the change stream's head."""


def states_entered(changes: Iterable[DocumentChange]) -> Iterator[str]:
    """Return the state entered by each change of a non-internal job. Changes without a transition,
    such as a cancel request, are skipped."""
    for change in changes:
        event = change.event_raw
        if event is None or change.route is None or change.route.internal:
            continue
        if event.get("from") != event["state"]:
            yield event["state"]
