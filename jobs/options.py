"""Validation of decorator options: each check returns the problem as text, or None. No I/O."""

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Final

from ostinato.jobs.declarations import Check, shown
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.retry import Retry
from ostinato.jobs.tags import tags_problem
from ostinato.jobs.time_rules import Exclusions, FoldPolicy, GapPolicy

MAX_DURATION_MS: Final = 100 * 365 * 86_400_000  # a hundred years from now is still a date
MAX_CONCURRENCY: Final = 1_000_000  # 100 times the maximum of a worker
MAX_JOB_TIMEOUT_MS: Final = 24 * 60 * 60 * 1000  # of one attempt
DEFAULT_MAX_FAILED_ITEMS: Final = 100  # of a batch: more suggest a fault of its handler
MAX_NAME_CHARS: Final = 200  # fits an index key, and a line on a screen


def _check_flag(name: str, value: object) -> str | None:
    return None if isinstance(value, bool) else f"{name} must be True or False, got {shown(value)}"


def _check_name(name: str, value: object) -> str | None:
    if isinstance(value, str) and 1 <= len(value) <= MAX_NAME_CHARS:
        return None
    return f"{name} must be a string of 1 to {MAX_NAME_CHARS} characters, got {shown(value)}"


def _check_optional_name(name: str, value: object) -> str | None:
    return None if value is None else _check_name(name, value)


def _check_roles(name: str, value: object) -> str | None:
    if isinstance(value, str):
        problem = f"{name} is the text {shown(value)}, which Python would split into letters"
        return f"{problem}; write {name}=({shown(value)},)"
    if isinstance(value, tuple | list | set | frozenset) and all(
        isinstance(role, str) and role for role in value
    ):
        return None
    return f"{name} must be a tuple of texts, got {shown(value)}; write {name}=('admin',)"


def _check_retry(name: str, value: object) -> str | None:
    if isinstance(value, Retry):
        return None
    retries = value if isinstance(value, int) and not isinstance(value, bool) else 3
    return f"{name} must be a Retry, got {shown(value)}; write {name}=Retry(retries={retries})"


def _check_rate_limit(name: str, value: object) -> str | None:
    if value is None or isinstance(value, RateLimit):
        return None
    fix = f"write {name}=RateLimit(count=10, per_ms=1_000)"
    return f"{name} must be a RateLimit, got {shown(value)}; {fix}"


def _check_number(name: str, value: object, *, minimum: int, maximum: int, unit: str) -> str | None:
    if value is None:
        return None
    expected = f"{name} must be a whole number{unit} from {minimum} to {maximum:,}"
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        return f"{expected}, got {shown(value)}"
    return None


def _check_mapping(name: str, value: object) -> str | None:
    return None if isinstance(value, Mapping) else f"{name} must be a dict, got {shown(value)}"


def _check_args(name: str, value: object) -> str | None:
    return None if value is None else _check_mapping(name, value)


def _check_pages(name: str, value: object) -> str | None:
    call = value if inspect.isroutine(value) else getattr(value, "__call__", None)  # noqa: B004
    if value is None or inspect.iscoroutinefunction(call):
        return None
    return f"{name} must be an `async def` function (ctx, cursor, size), got {shown(value)}"


def _check_hook(name: str, value: object) -> str | None:
    if callable(value):  # the decorator checks what it takes
        return None
    return f"{name} must be an `async def` function (ctx, failed), got {shown(value)}"


_MS: Final = " of milliseconds"
_check_duration: Final = partial(_check_number, minimum=1, maximum=MAX_DURATION_MS, unit=_MS)
_check_ttl: Final = partial(_check_number, minimum=0, maximum=MAX_DURATION_MS, unit=_MS)
_check_concurrency: Final = partial(_check_number, minimum=1, maximum=MAX_CONCURRENCY, unit="")


def _check_type(kind: type, name: str, value: object) -> str | None:
    if isinstance(value, kind):
        return None
    return f"{name} must be of the type ostinato.{kind.__name__}, got {shown(value)}"


FUNCTION_OPTIONS: Final[Mapping[str, Check]] = {
    "name": _check_optional_name,
    "public": _check_flag,
    "roles": _check_roles,
    "retry": _check_retry,
    "timeout_ms": _check_duration,
    "internal": _check_flag,
    "result_ttl_ms": _check_ttl,
    "concurrency": _check_concurrency,
    "rate_limit": _check_rate_limit,
    "on_failure": _check_hook,
}
BATCH_OPTIONS: Final[Mapping[str, Check]] = {
    "name": _check_name,
    "collection": _check_name,
    "where": _check_mapping,
    "owned": _check_flag,
    "ostinato": _check_flag,
    "pages": _check_pages,
    "public": _check_flag,
    "roles": _check_roles,
}
CRON_OPTIONS: Final[Mapping[str, Check]] = {
    "cronspec": _check_optional_name,
    "every_ms": _check_duration,
    "tz": _check_name,
    "name": _check_optional_name,
    "args": _check_args,
    "tags": tags_problem,
    "on_gap": partial(_check_type, GapPolicy),
    "on_fold": partial(_check_type, FoldPolicy),
    "exclusions": partial(_check_type, Exclusions),
}
