"""The options of a new job, validated. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from pydantic_core import to_json

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.context import MAX_HORIZON, JobOptions, validate_options
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.filters import MAX_IDS, JobFilter
from ostinato.jobs.json_values import (
    MILLISECOND,
    NotJson,
    TooLarge,
    find_text_problem,
    require_bounded,
    to_json_value,
)
from ostinato.jobs.options import MAX_JOB_TIMEOUT_MS, MAX_NAME_CHARS
from ostinato.jobs.records import Json
from ostinato.jobs.rights import MAX_OWNER_CHARS
from ostinato.resolvers.scheduling import JobToSchedule, NewDueTime

MAX_TIMEOUT: Final = MAX_JOB_TIMEOUT_MS * MILLISECOND
Args = Mapping[str, object]


class ScheduleOptions(TypedDict, total=False):
    """The options of a new job; due now by default."""

    run_after: timedelta
    """The delay from now, at most five years. Not together with `run_at`."""
    run_at: datetime
    """The due time, aware; in the past, it is due now."""
    owner: str | None
    """The user to whom the job belongs. Default: None, the system."""
    key: str
    """Idempotency key, 1 to 200 characters, unique per owner. Repeating the call returns the
    existing job."""
    queue: str
    """1 to 64 characters of a-z, 0-9, _ and -. Default: `default`."""
    priority: int
    """0 to 9; higher runs sooner: each point counts as a minute of waiting. Default: 0."""
    timeout: timedelta
    """Time limit of one attempt, in real time, at most a day. Default: the function's own."""
    tags: Sequence[str]
    """At most 10, of 1 to 64 characters each, to find the job by. Default: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A validated call of `schedule`."""

    owner: str | None
    new: JobToSchedule


def parse_options(name: str, args: Args | None, options: ScheduleOptions) -> JobRequest:
    """Validate the options of a new job; raises BadRequest with an issue for each mistake."""
    issues = [*_unknown_options(options), *_due_issues(options), *_key_issues(options)]
    plain: JobOptions = {}
    if "queue" in options:
        plain["queue"] = options["queue"]
    if "priority" in options:
        plain["priority"] = options["priority"]
    if "tags" in options:
        plain["tags"] = options["tags"]
    timeout: object = options.get("timeout")
    if isinstance(timeout, timedelta) and timedelta(0) < timeout <= MAX_TIMEOUT:
        plain["timeout_ms"] = to_ms(timeout)
    elif timeout is not None:
        problem = f"must be a timedelta of at most a day, got {timeout!r:.100}"
        issues.append(_issue("timeout", problem))
    try:
        valid = validate_options(plain)
        owner = require_owner(options.get("owner"))
    except BadRequest as error:
        issues += error.issues
    if issues:
        raise BadRequest("; ".join(issue.message for issue in issues), issues)
    after = options.get("run_after")
    return JobRequest(
        owner=owner,
        new=JobToSchedule(
            function_name=name,
            args=dict(args or {}),  # type: ignore[arg-type]  # checked by `bind`
            run_after_ms=None if after is None else to_ms(after),
            run_at=options.get("run_at"),
            key=options.get("key"),
            queue=valid.queue,
            priority=valid.priority,
            timeout_ms=valid.timeout_ms,
            tags=valid.tags,
        ),
    )


def parse_due_time(
    run_at: datetime | None, run_after: timedelta | None, expected_version: int | None
) -> NewDueTime:
    """Validate a new due time, of which exactly one form is given; raises BadRequest."""
    options: ScheduleOptions = {}
    if run_at is not None:
        options["run_at"] = run_at
    if run_after is not None:
        options["run_after"] = run_after
    issues = _due_issues(options)
    if not options:
        issues = [_issue("run_at", "or run_after is missing: pass one of them")]
    if issues:
        raise BadRequest(issues[0].message, issues)
    return NewDueTime(
        run_at=run_at,
        run_after_ms=None if run_after is None else to_ms(run_after),
        expected_version=expected_version,
    )


def require_owner(owner: object) -> str | None:
    """Return an owner, None for the system; raises BadRequest at `owner`."""
    if owner is None:
        return None
    return _require_text("owner", owner, "None or ", MAX_OWNER_CHARS)


def require_name(field: str, name: object) -> str:
    """Return a name of 1 to 200 storable characters; raises BadRequest at `field`."""
    return _require_text(field, name, "", MAX_NAME_CHARS)


def require_text(field: str, text: object, max_chars: int) -> str:
    """Return storable text of 1 to `max_chars` characters; raises BadRequest at `field`."""
    return _require_text(field, text, "", max_chars)


def job_filter(which: JobFilter | None) -> JobFilter:
    """Return a filter, or one that matches all but internal jobs; raises BadRequest at `ids`."""
    chosen = which or JobFilter()
    if chosen.ids is not None and not 1 <= len(chosen.ids) <= MAX_IDS:
        problem = f"must have 1 to {MAX_IDS} ids, got {len(chosen.ids)}: ask for them in parts"
        raise BadRequest(f"ids {problem}", [_issue("ids", problem)])
    return chosen


def require_instant(field: str, at: object) -> datetime:
    """Return an aware datetime in UTC, in milliseconds; raises BadRequest at `field`."""
    if not isinstance(at, datetime) or not _is_instant(at):
        problem = f"must be an aware datetime, in UTC from year 1 to 9999, got {at!r:.100}"
        raise BadRequest(f"{field} {problem}", [_issue(field, problem)])
    instant = at.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def optional_instant(field: str, at: object) -> datetime | None:
    """Return like `require_instant`, and None for None."""
    return None if at is None else require_instant(field, at)


def _require_text(field: str, text: object, alternative: str, max_chars: int) -> str:
    if not isinstance(text, str) or not 1 <= len(text) <= max_chars:
        problem = f"must be {alternative}1 to {max_chars} characters, got {text!r:.100}"
    elif found := find_text_problem(text):
        problem = found.message
    else:
        return str.__str__(text)
    raise BadRequest(f"{field} {problem}", [_issue(field, problem)])


def plain_json(value: object, *path: str | int) -> Json:
    """Return a JSON value of at most 64 KiB; raises BadRequest at `path`."""
    try:
        require_bounded(value, MAX_ARGS_BYTES)
        plain = to_json_value(value, *path, limit_bytes=MAX_ARGS_BYTES)
    except NotJson as error:
        raise BadRequest.at(*error.path, message=str(error), code=error.code) from None
    except TooLarge as error:
        raise BadRequest.at(*path, message=str(error), code=error.code) from None
    if (size := len(to_json(plain))) > MAX_ARGS_BYTES:
        where = ".".join(map(str, path))
        message = f"{where} must be at most {MAX_ARGS_BYTES:,} bytes as JSON, got {size:,}"
        raise BadRequest.at(*path, message=message, code="too_long")
    return plain


def to_ms(duration: timedelta) -> int:
    """Return a duration in milliseconds, rounded up."""
    return -(-duration // MILLISECOND)


def _unknown_options(options: ScheduleOptions) -> list[Issue]:
    known = ScheduleOptions.__annotations__
    return [
        _issue(name, f"is not an option: use {', '.join(known)}")
        for name in options
        if name not in known
    ]


def _due_issues(options: ScheduleOptions) -> list[Issue]:
    after: object = options.get("run_after")
    at: object = options.get("run_at")
    if after is not None and at is not None:
        return [_issue("run_after", "and run_at are mutually exclusive: pass only one of them")]
    if at is not None and not _is_instant(at):
        problem = f"must be an aware datetime, in UTC from year 1 to 9999, got {at!r:.100}"
        return [_issue("run_at", problem)]
    if after is None:
        return []
    if not isinstance(after, timedelta) or not timedelta(0) <= after <= MAX_HORIZON:
        problem = f"must be a timedelta from 0 to five years, got {after!r:.100}"
        return [_issue("run_after", problem)]
    return []


def _is_instant(at: object) -> bool:
    if not isinstance(at, datetime) or at.utcoffset() is None:
        return False
    try:
        at.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _key_issues(options: ScheduleOptions) -> Sequence[Issue]:
    try:
        if options.get("key") is not None:
            require_name("key", options["key"])
    except BadRequest as error:
        return error.issues
    return ()


def _issue(name: str, problem: str) -> Issue:
    return Issue(path=(name,), message=f"{name} {problem}", code="invalid_option")
