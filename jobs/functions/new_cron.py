"""Owns the input of a new cron and its validation. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.records import CatchUpPolicy, JsonObject, OverlapPolicy, Schedule
from ostinato.jobs.schedules import parse_schedule

DEFAULT_FUNCTION: Final = "tasks.runTask"
MAX_NAME_CHARS: Final = 200  # fits an index key, and a line on a screen
MAX_JITTER_MS: Final = 86_400_000  # a day; more would mix up the days of a daily cron


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCron:
    """A cron to register, with exactly one of `interval_ms` and `cronspec`."""

    name: str
    interval_ms: int | None = None
    cronspec: str | None = None
    tz: str = "UTC"
    function_name: str = DEFAULT_FUNCTION
    args: JsonObject
    overlap: OverlapPolicy = OverlapPolicy.SKIP
    catch_up: CatchUpPolicy = CatchUpPolicy.LATEST
    jitter_ms: int = 0
    """The maximum delay of each run."""
    start_at: datetime | None = None
    """No tick before it; an interval counts from it."""
    end_at: datetime | None = None
    """No tick at this time or later; the cron is then disabled."""


def validate_cron(new: NewCron) -> Schedule:
    """Validate all but the function and its arguments; raises BadRequest with every issue."""
    issues = list(_issues(new))
    try:
        schedule = parse_schedule(new.interval_ms, new.cronspec, new.tz)
    except BadRequest as error:
        issues = [*error.issues, *issues]
    if issues:
        raise BadRequest(issues[0].message, issues)
    return schedule


def _issues(new: NewCron) -> Iterator[Issue]:
    if not 1 <= len(new.name) <= MAX_NAME_CHARS:
        message = f"name must have 1 to {MAX_NAME_CHARS} characters, got {len(new.name)}"
        yield Issue(path=("name",), message=message, code="length")
    if not 0 <= new.jitter_ms <= MAX_JITTER_MS:
        message = f"jitterMs must be 0 to {MAX_JITTER_MS} (a day), got {new.jitter_ms}"
        yield Issue(path=("jitterMs",), message=message, code="out_of_range")
    if new.start_at and new.end_at and new.end_at <= new.start_at:
        yield Issue(path=("endAt",), message="endAt must be later than startAt", code="too_small")


def with_default_name(function_name: str, args: JsonObject, name: str) -> JsonObject:
    """Add the argument `name`, which the default function requires."""
    return {"name": name, **args} if function_name == DEFAULT_FUNCTION else args
