"""The input of a new cron and its validation. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ostinato.jobs.errors import BadRequest, Issue, range_issues
from ostinato.jobs.exclusions import exclusion_issues, never_runs_issues
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.records import CatchUpPolicy, JsonObject, OverlapPolicy, Schedule
from ostinato.jobs.schedules import parse_schedule
from ostinato.jobs.tags import parse_tags
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions, FoldPolicy, GapPolicy

DEFAULT_FUNCTION: Final = "tasks.runTask"
STATIC: Final = "@cron"  # `managedBy` of crons that are declared in code
MIN_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_START: Final = datetime(3000, 1, 1, tzinfo=UTC)  # ticks of rare dates stay in Python's years
MAX_RUN_COUNT: Final = 1_000_000_000
MIN_WINDOW_MS: Final = 15_000  # a tick that is so late is punctual
MAX_WINDOW_MS: Final = 366 * 86_400_000
MAX_FAILURES: Final = 100  # as many overlapping runs are tracked
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
    """Start of the schedule, inclusive; intervals count from it."""
    end_at: datetime | None = None
    """End of the schedule, exclusive; the cron is then disabled."""
    tags: Sequence[str] = ()
    """The tags of the jobs that it creates."""
    max_runs: int | None = None
    catch_up_window_ms: int | None = None
    pause_after_failures: int | None = None
    managed_by: str | None = None
    """The set that contains it, or STATIC if it is declared in code."""
    on_gap: GapPolicy = GapPolicy.NEXT
    on_fold: FoldPolicy = FoldPolicy.FIRST
    exclusions: Exclusions = NO_EXCLUSIONS


def validate_cron(new: NewCron) -> Schedule:
    """Validate all fields except the function and its arguments; raises BadRequest."""
    issues = [
        *schedule_issues(new.interval_ms, new.cronspec, new.tz),
        *_limit_issues(new),
        *period_issues(new.start_at, new.end_at),
        *_tag_issues(new.tags),
        *exclusion_issues(new.exclusions),
    ]
    if issues:
        raise BadRequest(issues[0].message, issues)
    schedule = parse_schedule(new.interval_ms, new.cronspec, new.tz, new.on_gap, new.on_fold)
    if issues := never_runs_issues(schedule, new.exclusions):
        raise BadRequest(issues[0].message, issues)
    return schedule


def schedule_issues(interval_ms: int | None, cronspec: str | None, tz: str) -> Sequence[Issue]:
    """Return the issues of a schedule."""
    try:
        parse_schedule(interval_ms, cronspec, tz)
    except BadRequest as error:
        return error.issues
    return ()


def period_issues(start_at: datetime | None, end_at: datetime | None) -> Sequence[Issue]:
    """Return the issues of a cron's start and end."""
    if start_at and end_at and end_at <= start_at:
        message = "endAt must be later than startAt"
        return [Issue(path=("endAt",), message=message, code="too_small")]
    if end_at and end_at < MIN_START:
        return [_too_early("endAt", end_at)]
    return start_issues("startAt", start_at)


def start_issues(name: str, start_at: datetime | None) -> Sequence[Issue]:
    """Return the issue of a start of ticks that is too far in the past or the future."""
    if start_at and start_at < MIN_START:
        return [_too_early(name, start_at)]
    if start_at and start_at >= MAX_START:
        message = f"{name} must be before {MAX_START:%Y}, got {start_at:%Y}"
        return [Issue(path=(name,), message=message, code="too_far")]
    return ()


def _too_early(name: str, instant: datetime) -> Issue:
    message = f"{name} must not be before {MIN_START:%Y}, got {instant.year}"
    return Issue(path=(name,), message=message, code="too_early")


def _tag_issues(tags: Sequence[str]) -> Sequence[Issue]:
    try:
        parse_tags(tags)
    except BadRequest as error:
        return error.issues
    return ()


def _limit_issues(new: NewCron) -> Iterator[Issue]:
    if not 1 <= len(new.name) <= MAX_NAME_CHARS:
        message = f"name must have 1 to {MAX_NAME_CHARS} characters, got {len(new.name)}"
        yield Issue(path=("name",), message=message, code="length")
    yield from range_issues("jitterMs", new.jitter_ms, 0, MAX_JITTER_MS)
    for name, given, low, high in (
        ("maxRuns", new.max_runs, 1, MAX_RUN_COUNT),
        ("catchUpWindowMs", new.catch_up_window_ms, MIN_WINDOW_MS, MAX_WINDOW_MS),
        ("pauseAfterFailures", new.pause_after_failures, 1, MAX_FAILURES),
    ):
        if given is not None:
            yield from range_issues(name, given, low, high)


def with_default_name(function_name: str, args: JsonObject, name: str) -> JsonObject:
    """Add the argument `name`, which the default function requires."""
    return {"name": name, **args} if function_name == DEFAULT_FUNCTION else args
