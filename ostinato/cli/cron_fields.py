"""Converts the fields of a cron in the API to the options of the Python client."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from importlib import import_module
from typing import Any, Final

Field = tuple[str, Callable[[Any], object]]
"""The option of the Python client for a field of the API, and how its value is converted."""


def fields_of(given: Mapping[str, object], allowed: Mapping[str, Field]) -> dict[str, Any]:
    """Return the options of the Python client for fields of the API; raises ValueError."""
    if unknown := given.keys() - allowed.keys():
        raise ValueError(f"there is no field {min(unknown)!r}, only {', '.join(allowed)}")
    return {allowed[name][0]: _converted(name, given[name], allowed[name][1]) for name in given}


def _converted(name: str, value: object, convert: Callable[[Any], object]) -> object:
    if value is None and name not in REMOVABLE:
        raise ValueError(f"{name} cannot be null: omit it to keep its value")
    try:
        return convert(value)
    except WrongValue as error:
        raise ValueError(f"{name} {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{name} cannot be {value!r:.100}: {error}") from None


class WrongValue(ValueError):
    """The value of a field is wrong; the message says what it must be."""


def _member(module: str, kind: str) -> Callable[[object], object]:
    """Return the conversion of a name to a value of an enumeration, imported when it is needed."""

    def convert(name: object) -> object:
        members = getattr(import_module(f"ostinato.jobs.{module}"), kind).__members__
        if name not in members:
            raise WrongValue(f"must be one of {', '.join(members)}, got {name!r:.100}")
        return members[name]

    return convert


def _exclusions(given: Mapping[str, Any] | None) -> object:
    from ostinato.jobs.time_rules import NO_EXCLUSIONS, DateRange, Exclusions, Weekday

    if given is None:
        return NO_EXCLUSIONS
    if unknown := given.keys() - {"dates", "ranges", "weekdays", "calendar"}:
        raise WrongValue(f"have no field {min(unknown)!r}")
    day = date.fromisoformat
    weekdays = {Weekday[name] for name in given.get("weekdays") or ()}
    return Exclusions(
        dates=tuple(sorted({day(each) for each in given.get("dates") or ()})),
        ranges=tuple(
            DateRange(first=day(each["first"]), last=day(each["last"]))
            for each in given.get("ranges") or ()
        ),
        weekdays=tuple(each for each in Weekday if each in weekdays),
        calendar=given.get("calendar"),
    )


def _same(value: object) -> object:
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise WrongValue(f"must be true or false, got {value!r:.100}")
    return value


def _milliseconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(milliseconds=value)


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


DECLARED: Final[dict[str, Field]] = {
    "name": ("name", _same),
    "intervalMs": ("every", _milliseconds),
    "cronspec": ("cronspec", _same),
    "tz": ("tz", _same),
    "functionName": ("function", _same),
    "args": ("args", _same),
    "overlap": ("overlap", _member("records", "OverlapPolicy")),
    "catchUp": ("catch_up", _member("records", "CatchUpPolicy")),
    "jitterMs": ("jitter", _milliseconds),
    "startAt": ("start_at", _time),
    "endAt": ("end_at", _time),
    "onGap": ("on_gap", _member("time_rules", "GapPolicy")),
    "onFold": ("on_fold", _member("time_rules", "FoldPolicy")),
    "exclusions": ("exclusions", _exclusions),
    "tags": ("tags", _same),
    "maxRuns": ("max_runs", _same),
    "catchUpWindowMs": ("catch_up_window", _milliseconds),
    "pauseAfterFailures": ("pause_after_failures", _same),
}
"""The fields of a cron of a set."""
CHANGED: Final[dict[str, Field]] = {**DECLARED, "enabled": ("enabled", _flag)}
"""The fields of `updateCron`."""
RULES: Final = {name: DECLARED[name] for name in ("onGap", "onFold", "exclusions")}
"""The rules of a schedule for local time."""
REMOVABLE: Final = frozenset(
    {"startAt", "endAt", "exclusions", "maxRuns", "catchUpWindowMs", "pauseAfterFailures"}
)
"""The fields that null removes."""
