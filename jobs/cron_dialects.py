"""Recognizes cron expressions of other programs, and explains how to write them here. No I/O."""

import re
from collections.abc import Callable
from typing import Final

_UNITS_MS: Final = {
    "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000,
    "second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000,
}  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SYSTEMD_WORDS: Final = {
    "minutely": "* * * * *",
    "hourly": "@hourly",
    "daily": "@daily",
    "weekly": "0 0 * * 1",
    "monthly": "@monthly",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "yearly": "@yearly",
    "annually": "@yearly",
}
_WEEKDAY_NAME: Final = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"

_TIME_ZONE: Final = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.+)")
_EVERY: Final = re.compile(r"@every\s+(\S+)", re.IGNORECASE)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_RATE: Final = re.compile(r"rate\(\s*(\d+)\s+(second|minute|hour|day)s?\s*\)", re.IGNORECASE)
_AWS: Final = re.compile(r"cron\((.*)\)", re.IGNORECASE)
_AT: Final = re.compile(r"at\(.*\)", re.IGNORECASE)
_JENKINS: Final = re.compile(r"[Hh](?:\(\d+-\d+\))?(?=$|[,/\s])")
_ON_CALENDAR: Final = re.compile(
    rf"(?:(?P<days>{_WEEKDAY_NAME}(?:(?:\.\.|,){_WEEKDAY_NAME})*)\s*)?"
    r"(?:\s*(?P<year>\*|\d{4})-(?P<month>[\d*/,.]+)-(?P<day>[\d*/,.]+))?"
    r"(?:\s*(?P<hour>[\d*/,.]+):(?P<minute>[\d*/,.]+)(?::(?P<second>[\d*/,.]+))?)?"
    r"(?:\s+(?P<tz>[A-Z]\w+(?:/\w+)*))?",
    re.IGNORECASE,
)
_LAST_WEEKDAY: Final = re.compile(r"([1-7]|" + "|".join(_DAYS) + r")l", re.IGNORECASE)


def foreign_dialect(text: str, is_valid: Callable[[str], bool]) -> str | None:
    """Return whose syntax an invalid cronspec is, and how to write it here; None if unknown.

    Suggests only cronspecs for which `is_valid` returns True.
    """
    explained = _prefixed(text) or _shorthand(text) or _aws(text, is_valid)
    return explained or _jenkins(text) or _systemd(text, is_valid) or _quartz(text, is_valid)


def _prefixed(text: str) -> str | None:
    found = _TIME_ZONE.fullmatch(text)
    if found is None:
        return None
    return (
        f"CRON_TZ= is syntax of Go and of cronie; use tz: {found[1]!r} and cronspec: {found[2]!r}"
    )


def _shorthand(text: str) -> str | None:
    if every := _EVERY.fullmatch(text):
        ms = sum(float(n) * _UNITS_MS[unit] for n, unit in _DURATION.findall(every[1]))
        return f"@every is syntax of Go; use intervalMs{f': {ms:.0f}' if ms else ''} instead"
    lower = text.lower()
    if lower == "@reboot":
        return "@reboot is syntax of crontabs; schedule a job when your application starts"
    if lower in ("@every_minute", "@every_second"):
        stars = "* * * * *" if lower.endswith("minute") else "* * * * * *"
        return f"{lower} is syntax of FreeBSD; write {stars!r}"
    return None


def _aws(text: str, is_valid: Callable[[str], bool]) -> str | None:
    if rate := _RATE.fullmatch(text):
        ms = int(rate[1]) * _UNITS_MS[rate[2].lower()]
        return f"rate() is syntax of AWS; use intervalMs: {ms} instead"
    if _AT.fullmatch(text):
        return "at() is syntax of AWS for one time; schedule a job with runAt instead"
    found = _AWS.fullmatch(text)
    if found is None:
        return None
    fields = found[1].split()
    return "cron() is syntax of AWS" + _from_quartz(["0", *fields], is_valid)


def _jenkins(text: str) -> str | None:
    if any(_JENKINS.fullmatch(part.partition("/")[0]) for part in re.split(r"[\s,]+", text)):
        return (
            "H is syntax of Jenkins for a value that differs between jobs; write a number, and "
            "use jitterMs to spread runs"
        )
    return None


def _systemd(text: str, is_valid: Callable[[str], bool]) -> str | None:
    if text.lower() in _SYSTEMD_WORDS:
        return f"{text!r} is syntax of systemd (OnCalendar); write {_SYSTEMD_WORDS[text.lower()]!r}"
    found = _ON_CALENDAR.fullmatch(text)
    if not text or found is None or (found["hour"] is None and found["month"] is None):
        return None
    days = (found["days"] or "*").replace("..", "-").lower()
    weekdays = ",".join("-".join(day[:3] for day in part.split("-")) for part in days.split(","))
    second = _number(found["second"] or "0")
    minute, hour = _number(found["minute"] or "0"), _number(found["hour"] or "0")
    fields = [minute, hour, _number(found["day"] or "*"), _number(found["month"] or "*"), weekdays]
    written = " ".join(fields if second == "0" else [second, *fields])
    tz = f", tz: {found['tz']!r}" if found["tz"] else ""
    is_exact = is_valid(written) and (found["year"] or "*") == "*"
    fix = (
        f"; use cronspec: {written!r}{tz}" if is_exact else "; write minute hour day month weekday"
    )
    return f"{text!r} is syntax of systemd (OnCalendar){fix}"


def _number(text: str) -> str:
    """Return a field of systemd in the syntax of cron: `00` is 0, and `0/15` is every 15."""
    parts = [part.lstrip("0") or "0" if part.isdecimal() else part for part in text.split("/")]
    return "/".join(parts).replace("..", "-")


def _quartz(text: str, is_valid: Callable[[str], bool]) -> str | None:
    fields = text.split()
    if "?" in fields or len(fields) == 7:
        if len(fields) == 5:
            fields = ["0", *fields]
        return "this is syntax of Quartz" + _from_quartz(fields, is_valid)
    for field in fields:
        if field.lower() == "lw":
            return f"{field} is syntax of Quartz; write 31W for the last weekday of the month"
        if found := _LAST_WEEKDAY.fullmatch(field):
            return f"{field} is syntax of Quartz; write L{_cron_weekday(found[1])}"
        if re.fullmatch(r"l-\d+", field, re.IGNORECASE):
            return f"{field} is syntax of Quartz; a number of days before the last is not supported"
    return None


def _from_quartz(fields: list[str], is_valid: Callable[[str], bool]) -> str:
    """Return how to write the fields of Quartz, from seconds to the optional year."""
    explanation = ", whose weekdays are 1-7 from Sunday; here they are 0-6"
    if len(fields) not in (6, 7):
        return explanation
    if len(fields) == 7 and fields[6] not in ("*", "?"):
        return f"{explanation}. A year is not supported: use startAt and endAt"
    day = fields[3].replace("?", "*")
    day = "31W" if day.lower() == "lw" else day
    weekday = ",".join(map(_weekday_item, fields[5].replace("?", "*").split(",")))
    rest = [*fields[1:3], day, fields[4], weekday]
    written = " ".join(rest if fields[0] == "0" else [fields[0], *rest])
    return f"{explanation}; write {written!r}" if is_valid(written) else explanation


def _weekday_item(item: str) -> str:
    """Return an item of Quartz's weekdays with cron's numbers: 6#3 is 5#3, and 6L is L5."""
    if last := _LAST_WEEKDAY.fullmatch(item):
        return f"L{_cron_weekday(last[1])}"
    days, mark, rest = re.fullmatch(r"([^#/]*)([#/]?)(.*)", item, re.DOTALL).groups()  # type: ignore[union-attr] # matches any text
    shifted = "-".join(
        str(_cron_weekday(day)) if re.fullmatch("[1-7]", day) else day for day in days.split("-")
    )
    return shifted + mark + rest


def _cron_weekday(text: str) -> int:
    """Return the number of a weekday, 0 being Sunday, from Quartz's number or a name."""
    return int(text) - 1 if text.isdecimal() else _DAYS.index(text.lower())
