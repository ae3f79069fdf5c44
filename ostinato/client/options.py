"""The options of a new job, validated. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict

from ostinato.jobs.context import MAX_HORIZON, MAX_JOB_TIMEOUT_MS, JobOptions, validate_options
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.resolvers.auth import MAX_SUBJECT_CHARS
from ostinato.resolvers.scheduling import JobToSchedule

MILLISECOND: Final = timedelta(milliseconds=1)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A validated call of `schedule`."""

    owner: str | None
    new: JobToSchedule


def parse_options(name: str, args: Args | None, options: ScheduleOptions) -> JobRequest:
    """Validate the options of a new job; raises BadRequest with an issue for each mistake."""
    issues = [*_unknown_options(options), *_due_issues(options), *_key_issues(options)]
    plain: JobOptions = {
        "queue": options.get("queue", "default"),
        "priority": options.get("priority", 0),
    }
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
        ),
    )


def require_owner(owner: object) -> str | None:
    """Return an owner, None for the system; raises BadRequest at `owner`."""
    if owner is None:
        return None
    if not isinstance(owner, str) or not 1 <= len(owner) <= MAX_SUBJECT_CHARS:
        problem = f"must be None or 1 to {MAX_SUBJECT_CHARS} characters, got {owner!r:.100}"
    elif not _is_storable(owner):
        problem = "must not contain the NUL character or an unpaired surrogate"
    else:
        return str.__str__(owner)
    raise BadRequest(f"owner {problem}", [_issue("owner", problem)])


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
    if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
        return [_issue("run_at", f"must be an aware datetime, got {at!r:.100}")]
    if after is None:
        return []
    if not isinstance(after, timedelta) or not timedelta(0) <= after <= MAX_HORIZON:
        problem = f"must be a timedelta from 0 to five years, got {after!r:.100}"
        return [_issue("run_after", problem)]
    return []


def _key_issues(options: ScheduleOptions) -> list[Issue]:
    key: object = options.get("key")
    if key is None:
        return []
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_NAME_CHARS:
        return [_issue("key", f"must be 1 to {MAX_NAME_CHARS} characters, got {key!r:.100}")]
    if not _is_storable(key):
        return [_issue("key", "must not contain the NUL character or an unpaired surrogate")]
    return []


def _is_storable(text: str) -> bool:
    return "\0" not in text and text == replace_surrogates(text)


def _issue(name: str, problem: str) -> Issue:
    return Issue(path=(name,), message=f"{name} {problem}", code="invalid_option")
