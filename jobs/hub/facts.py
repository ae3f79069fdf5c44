"""Says what the metrics tell of a hub."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ostinato.jobs.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """What the metrics tell of the hub."""

    following: bool
    changes: int
    """Followed so far."""
    job_transitions: Mapping[str, int]
    """How many ordinary jobs have come into each state, since the start."""
    reopened: int
    invalidated: int
    histories_lost: int
    resets: int
    ring: int
    """Changes at hand for those who resume."""
    subscriptions: int
    groups: int
    catch_ups: int
    """Streams opened so far to replay what the ring no longer has."""
    looks: int
    """How often MongoDB was asked whether nothing had happened."""


def states_entered(changes: Iterable[Change]) -> Iterator[str]:
    """Go through what happened to ordinary jobs, but for requests to cancel."""
    for change in changes:
        if change.entries and change.route is not None and not change.route.internal:
            yield from [e["state"] for e in change.entries if e.get("from") != e["state"]]
