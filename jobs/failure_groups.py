"""Groups of similar failures of a function."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.fingerprints import digest, fingerprint_of
from ostinato.jobs.paging import ListCount, Page, Window

TREND_HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    id: str
    owner: str | None
    function_name: str
    fingerprint: str | None
    """None for failures of older versions, which are one group for each function."""
    error_name: str
    message: str
    """Of the newest failure, as is `error_name`."""
    count: int
    retryable_count: int
    """The number of failures that have a job to retry."""
    first_seen_at: datetime
    last_seen_at: datetime
    newest_id: str
    """The newest failure."""
    trend: tuple[int, ...]
    """The number of failures in each of the last TREND_HOURS hours, from the oldest on; the last
    one is the current hour."""


def trend_start(now: datetime) -> datetime:
    """Return the start of the first hour of a trend."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=TREND_HOURS - 1)


def first_failure(failed: Iterable[Mapping[str, Any]], error: Mapping[str, Any]) -> datetime:
    """Return the first time that a job failed with an error like this one.

    `failed` are its failures as {at, name, message}, this one included.
    """
    similar = fingerprint_of(error["name"], error["message"])
    times: list[datetime] = [
        each["at"]
        for each in failed
        if fingerprint_of(each.get("name"), each.get("message")) == similar
    ]
    return min(times)


def group_id(owner: str | None, function_name: str, fingerprint: str | None) -> str:
    """Return the id of a group, which stays the same while it has failures."""
    return digest(f"{owner!r}\n{function_name}\n{fingerprint}")


def page_of(
    groups: Iterable[FailureGroup], window: Window, *, is_exact: bool
) -> Page[FailureGroup]:
    """Return a page of groups, newest failure first."""

    def position(group: FailureGroup) -> tuple[datetime, str]:
        return group.last_seen_at, group.id

    ordered = sorted(groups, key=position, reverse=True)
    total = ListCount(count=len(ordered), is_exact=is_exact)
    after, before = window.after, window.before
    if after is not None and after.instant is not None:
        ordered = [each for each in ordered if position(each) < (after.instant, after.id)]
    if before is not None and before.instant is not None:
        ordered = [each for each in ordered if position(each) > (before.instant, before.id)]
    chosen = ordered[-window.limit :] if window.backward else ordered[: window.limit]
    has_more = len(ordered) > window.limit

    async def count() -> ListCount:
        return total

    return Page(
        items=tuple(chosen),
        has_next=before is not None if window.backward else has_more,
        has_previous=has_more if window.backward else after is not None,
        count=count,
    )
