"""Names of time zones, and the one that a client may have meant. No I/O."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zoneinfo import available_timezones

from ostinato.jobs.nearest import nearest

MAX_SHOWN_CHARS: Final = 64
MIN_SIMILARITY: Final = 0.75  # a less similar name is a wrong suggestion
MAX_CITIES: Final = 3

ABBREVIATIONS: Final[dict[str, tuple[str, ...]]] = {
    "acst": ("Australia/Adelaide",), "adt": ("America/Halifax",), "aedt": ("Australia/Sydney",),
    "aest": ("Australia/Sydney",), "akdt": ("America/Anchorage",), "akst": ("America/Anchorage",),
    "art": ("America/Argentina/Buenos_Aires",), "ast": ("America/Halifax", "Asia/Riyadh"),
    "awst": ("Australia/Perth",), "brt": ("America/Sao_Paulo",),
    "bst": ("Europe/London", "Asia/Dhaka"), "cat": ("Africa/Maputo",), "cdt": ("America/Chicago",),
    "cest": ("Europe/Berlin",), "cst": ("America/Chicago", "Asia/Shanghai"),
    "eat": ("Africa/Nairobi",), "edt": ("America/New_York",), "eest": ("Europe/Athens",),
    "gst": ("Asia/Dubai",), "hkt": ("Asia/Hong_Kong",), "hst": ("Pacific/Honolulu",),
    "ict": ("Asia/Bangkok",), "ist": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "jst": ("Asia/Tokyo",), "kst": ("Asia/Seoul",), "mdt": ("America/Denver",),
    "msk": ("Europe/Moscow",), "mst": ("America/Denver",), "ndt": ("America/St_Johns",),
    "nst": ("America/St_Johns",), "nzdt": ("Pacific/Auckland",), "nzst": ("Pacific/Auckland",),
    "pdt": ("America/Los_Angeles",), "pht": ("Asia/Manila",), "pkt": ("Asia/Karachi",),
    "pst": ("America/Los_Angeles", "Asia/Manila"), "pt": ("America/Los_Angeles",),
    "sast": ("Africa/Johannesburg",), "sgt": ("Asia/Singapore",), "trt": ("Europe/Istanbul",),
    "wat": ("Africa/Lagos",), "west": ("Europe/Lisbon",), "wib": ("Asia/Jakarta",),
    "z": ("UTC",), "gmt+0": ("UTC",), "coordinated universal time": ("UTC",),
    "et": ("America/New_York",), "ct": ("America/Chicago",), "mt": ("America/Denver",),
    "pacific standard time": ("America/Los_Angeles",),
    "mountain standard time": ("America/Denver",), "central standard time": ("America/Chicago",),
    "eastern standard time": ("America/New_York",), "gmt standard time": ("Europe/London",),
    "w. europe standard time": ("Europe/Berlin",), "romance standard time": ("Europe/Paris",),
    "india standard time": ("Asia/Kolkata",), "china standard time": ("Asia/Shanghai",),
    "tokyo standard time": ("Asia/Tokyo",), "aus eastern standard time": ("Australia/Sydney",),
}  # fmt: skip
"""What common abbreviations and names of Windows stand for. IANA names contain few of them."""

_OFFSET: Final = re.compile(r"(?:utc|gmt)?\s*([+-])0?(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_problem(tz: str) -> str | None:
    """Return the problem with a time zone, and the names that it may stand for; None if valid."""
    if tz in zone_names():
        return None
    shown = f"unknown time zone {tz[:MAX_SHOWN_CHARS]!r}"
    if offset := _OFFSET.fullmatch(tz.strip()):
        return f"{shown}: {_offset_advice(*offset.groups())}"
    meant = list(_candidates(tz.strip()))
    if not meant:
        return f"{shown}: use an IANA name such as 'Europe/Berlin' or 'UTC'"
    *others, last = (f"{name!r}" for name in meant)
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"{shown}: use an IANA name such as {listed}"


def _offset_advice(sign: str, hours: str, minutes: str | None) -> str:
    if int(hours) == 0 and int(minutes or 0) == 0:
        return "use 'UTC'"
    # The signs of these names are reversed, as in POSIX.
    name = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"
    advice = "use the IANA name of a place, such as 'Europe/Berlin'"
    is_whole = int(minutes or 0) == 0 and name in zone_names()
    return f"{advice}, or {name!r} for a fixed offset" if is_whole else advice


def _candidates(tz: str) -> Sequence[str]:
    lower = tz.lower()
    if lower in ABBREVIATIONS:
        return ABBREVIATIONS[lower]
    folded = lower.replace(" ", "_")
    names = sorted(zone_names())
    if exact := [name for name in names if name.lower() == folded]:
        return exact
    if cities := [name for name in names if name.lower().rpartition("/")[2] == folded]:
        return cities[:MAX_CITIES]
    near = nearest(tz, zone_names(), MIN_SIMILARITY)
    return () if near is None else (near,)
