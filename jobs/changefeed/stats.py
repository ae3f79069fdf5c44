"""The figures of a change feed for the metrics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ostinato.jobs.changes import DocumentChange


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFeedStats:
    """The figures at one moment."""

    following: bool
    changes: int
    """Followed so far."""
    job_transitions: Mapping[str, int]
    """How many ordinary jobs entered each state since the start."""
    reopened: int
    invalidated: int
    histories_lost: int
    resets: int
    ring: int
    """Changes in memory for those who resume."""
    subscriptions: int
    filters: int
    """Different filters of the subscriptions."""
    replays: int
    """Streams opened so far to replay what the ring no longer has."""
    probes: int
    """How often MongoDB was asked whether nothing had happened."""


def states_entered(changes: Iterable[DocumentChange]) -> Iterator[str]:
    """Return the state that each change of an ordinary job led to; a request to cancel leads to
    none."""
    for change in changes:
        event = change.event_raw
        if event is None or change.route is None or change.route.internal:
            continue
        if event.get("from") != event["state"]:
            yield event["state"]
