"""Converts the fields of a cron in the API to the options of the Python client."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from importlib import import_module
from typing import Any, Final


def fields_of(given: Mapping[str, object]) -> dict[str, Any]:
    """Return the options of the Python client for fields of the API; raises ValueError."""
    unknown = given.keys() - OPTIONS.keys()
    if unknown:
        raise ValueError(f"there is no field {min(unknown)!r}")
    named = {name: OPTIONS[name] for name in given}
    return {option: convert(given[name]) for name, (option, convert) in named.items()}


def _member(module: str, kind: str) -> Callable[[str], object]:
    """Return the conversion of a name to a value of an enumeration, imported when it is needed."""
    return lambda name: getattr(import_module(f"ostinato.jobs.{module}"), kind)[name]


def _exclusions(given: Mapping[str, Any]) -> object:
    from ostinato.jobs.time_rules import DateRange, Exclusions, Weekday

    if unknown := given.keys() - {"dates", "ranges", "weekdays", "calendar"}:
        raise ValueError(f"exclusions have no field {min(unknown)!r}")
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


def _milliseconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(milliseconds=value)


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


OPTIONS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
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
"""The option of the Python client for each field of the API, and how its value is converted."""
