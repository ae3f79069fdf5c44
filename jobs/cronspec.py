"""Cronspecs: parsing and validation. No I/O.

**Day of month and day of week.** If neither field begins with `*`, a day matches if either
field does; otherwise both must match. See crontab(5) of vixie-cron 3.0pl1 (Debian).
"""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from croniter import CroniterBadDateError, CroniterError, croniter

MAX_CRONSPEC_CHARS: Final = 200  # bounds the cost of a hostile list of values
SECONDS_FIELD: Final = 5  # of croniter's parsed fields; absent without seconds
MAX_STEP: Final = 99  # croniter's memory use grows with the step

EXPECTED_FORMAT: Final = (
    "use five fields (minute hour day month weekday), six with seconds first, "
    "or @hourly, @daily, @weekly, @monthly, @yearly"
)
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# Validation searches from here: every valid cronspec matches within the 50 years that croniter
# searches.
_SEARCH_START: Final = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_ALLOWED_CHARACTERS: Final = re.compile(r"[A-Za-z0-9*/,#?@ \t-]*")
_RANDOM: Final = re.compile(r"(?i)(?:^|[\s,])[hr](?:[\s,/]|$)")
_LONG_STEP: Final = re.compile(r"/0*[1-9]\d{2}")


@dataclass(frozen=True, slots=True)
class Cronspec:
    """A parsed cronspec. Cached and shared: treat as immutable."""

    times: croniter
    matches_every_hour: bool
    """Whether the hour field covers every hour: the schedule then follows elapsed time."""
    seconds: int
    """The number of ticks in a minute that has any: 1 to 60."""

    def next_after(self, wall: datetime) -> datetime:
        """Return the first matching wall-clock time later than `wall`; both are naive."""
        found: datetime = copy.copy(self.times).get_next(datetime, start_time=wall)
        return found


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    minimum: int
    maximum: int
    words: tuple[str, ...] = ()
    letters: str = ""
    """Letters with a special meaning in this field."""


_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31, letters="lw"),
    _Field("month", 1, 12, MONTHS),
    _Field("weekday", 0, 7, DAYS, letters="l"),
)


@lru_cache(maxsize=4096)
def parse_cronspec(text: str) -> Cronspec:
    """Parse a cronspec; raises ValueError without a readable message."""
    fields = len(text.split())
    unsupported = _RANDOM.search(text) or _LONG_STEP.search(text)
    if (
        not _ALLOWED_CHARACTERS.fullmatch(text)
        or unsupported
        or (text[:1] != "@" and fields not in (5, 6))
    ):
        raise ValueError(text)
    times = croniter(text, _SEARCH_START, second_at_beginning=True, implement_cron_bug=True)
    seconds: Sequence[object] = (
        times.expanded[SECONDS_FIELD] if len(times.expanded) > SECONDS_FIELD else [0]
    )
    return Cronspec(
        times,
        matches_every_hour=times.expanded[1] == ["*"],
        seconds=60 if seconds == ["*"] else len(seconds),
    )


def cronspec_problem(text: str) -> str | None:
    """Return the problem with a cronspec and the allowed values; None if it is valid."""
    if len(text) > MAX_CRONSPEC_CHARS:
        return f"a cronspec has at most {MAX_CRONSPEC_CHARS} characters, got {len(text)}"
    return _problem(text)


@lru_cache(maxsize=4096)
def _problem(text: str) -> str | None:
    """Return the problem with a short text; takes up to 5 ms for rare dates."""
    try:
        parse_cronspec(text.strip()).next_after(_SEARCH_START)
    except CroniterBadDateError:
        return f"{text!r} never fires: there is no such date"
    except (CroniterError, ValueError):
        return f"{text!r}: {next(_problems(text.lower()), f'not a cronspec; {EXPECTED_FORMAT}')}"
    return None


def _problems(text: str) -> Iterator[str]:
    fields = text.split()
    if text.startswith("@"):
        yield f"unknown shorthand; {EXPECTED_FORMAT}"
    elif len(fields) not in (5, 6):
        yield f"it has {len(fields)} field{'' if len(fields) == 1 else 's'}; {EXPECTED_FORMAT}"
    else:
        for kind, field in zip(_FIELDS[-len(fields) :], fields, strict=True):
            for part in field.split(","):
                yield from _part_problems(kind, part)


def _part_problems(kind: _Field, part: str) -> Iterator[str]:
    """Yield the problems with one value, range or step of a field."""
    base, slash, step = part.partition("/")
    base, hash_sign, nth = base.partition("#")
    for word in re.findall(r"[^\W\d_]+", base):
        if word not in kind.words and not set(word) <= set(kind.letters):
            yield _word_problem(kind, word)
    for number in re.findall(r"\d+", base):
        if not kind.minimum <= int(number) <= kind.maximum:
            yield f"{kind.name} must be {kind.minimum}-{kind.maximum}, got {number}"
    if slash and not (step.isdecimal() and 1 <= int(step) <= MAX_STEP):
        yield f"the {kind.name} step must be 1-{MAX_STEP}, got {step!r}"
    if hash_sign and not (kind.words is DAYS and nth in {"1", "2", "3", "4", "5"}):
        yield f"{part!r} is not a {kind.name}; # takes 1-5 after a weekday, as in fri#2"
    if not _is_valid_alone(kind, part):
        yield f"{part!r} is not a {kind.name}; use a value, a range (1-5) or a step (*/5)"


def _word_problem(kind: _Field, word: str) -> str:
    if word in ("h", "r"):
        return (
            f"{word.upper()} (a random value) is not supported; use {kind.minimum}-{kind.maximum}"
        )
    if kind.words:
        return f"{word!r} is not a {kind.name}; use {kind.words[0]}-{kind.words[-1]} or a number"
    return f"{word!r} is not a {kind.name}; use {kind.minimum}-{kind.maximum}"


def _is_valid_alone(kind: _Field, part: str) -> bool:
    fields = [part if each is kind else "*" for each in _FIELDS]
    try:
        parse_cronspec(" ".join(fields))
    except (CroniterError, ValueError):
        return False
    return True
