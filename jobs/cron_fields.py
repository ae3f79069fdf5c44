"""The fields of a cronspec: their values, and the values that a text means. No I/O.

A field is a list of items: `*`, a value, a range, each with an optional step, and for days also
`L`, `15W`, `L5` and `fri#2`. A range may wrap around (`22-2`); its step then counts on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MAX_STORED_STEP: Final = 99  # earlier versions accepted larger steps than the number of values

MAX_DIGITS: Final = 6
_UNITS_MS: Final = MappingProxyType({"second": 1_000, "minute": 60_000, "hour": 3_600_000})

_ITEM: Final = re.compile(r"(\*|[^*/#-]+)(?:-([^*/#-]+))?(?:#([^*/#-]*))?(?:/(.*))?", re.ASCII)
_NEAREST_WEEKDAY: Final = re.compile(r"(?:w(\d+)|(\d+)w)", re.ASCII)
_NUMBER: Final = re.compile(r"\d+", re.ASCII)


class FieldError(ValueError):
    """A field that is not valid; the message says what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of the fields, and its values."""

    name: str
    minimum: int
    maximum: int
    """Of weekdays, 7 is accepted too, and means 0."""
    words: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of values."""
        return self.maximum - self.minimum + 1

    @property
    def article(self) -> str:
        return "an" if self is HOUR else "a"

    @property
    def allowed(self) -> str:
        """The values as a text."""
        return f"{self.minimum}-{self.maximum + (self.words is DAYS)}"


SECOND: Final = Field("second", 0, 59)
MINUTE: Final = Field("minute", 0, 59)
HOUR: Final = Field("hour", 0, 23)
DAY_OF_MONTH: Final = Field("day of month", 1, 31)
MONTH: Final = Field("month", 1, 12, MONTHS)
WEEKDAY: Final = Field("weekday", 0, 6, DAYS)
FIELDS: Final = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY)


@dataclass(frozen=True, slots=True)
class ParsedField:
    """What one field means."""

    starts_with_star: bool
    numbers: tuple[int, ...]
    """Sorted; empty if it contains only special days."""
    special: tuple[str, ...] = ()
    """Special days that are not in `numbers`, in croniter's notation: `l`, `15w`, `l5`, `5#2`."""


def parse_field(field: Field, text: str, *, strict: bool) -> ParsedField:
    """Parse a field; raises FieldError.

    If not `strict`, it accepts what earlier versions have stored: `?`, and steps up to 99.
    """
    if text == "?" and not strict and field in (DAY_OF_MONTH, WEEKDAY):
        text = "*"
    numbers: set[int] = set()
    special: dict[str, None] = {}
    for item in text.split(","):
        for value in _item_values(field, item, strict=strict):
            if isinstance(value, int):
                numbers.add(value)
            else:
                special[value] = None
    everything = len(numbers) == field.size
    return ParsedField(
        text.startswith("*"), tuple(sorted(numbers)), () if everything else (*special,)
    )


def _item_values(field: Field, item: str, *, strict: bool) -> Iterator[int | str]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise _invalid(field, item)
    low, high, nth, step = found.groups()
    if nth is not None:
        yield from _nth_weekdays(field, item)
        return
    if step is None and high is None and (day := _special_day(field, low)):
        yield day
        return
    size = 1 if step is None else _step(field, item, step, strict=strict)
    if low == "*":
        if high is not None:
            raise _invalid(field, item)
        first, last = field.minimum, field.maximum
    else:
        first = _value(field, item, low)
        last = field.maximum if high is None and step is not None else first
        if high is not None:
            last = _last_value(field, item, high)
    yield from _range(field, first, last, size)


def _range(field: Field, first: int, last: int, step: int) -> Iterator[int]:
    """Yield the values from `first` to `last`, around the end of the field if that is smaller."""
    end = last if first <= last else last + field.size
    for value in range(first, end + 1, step):
        yield field.minimum + (value - field.minimum) % field.size


def _value(field: Field, item: str, text: str) -> int:
    word = text.lower()
    if word in field.words:
        return field.minimum + field.words.index(word)
    if not _NUMBER.fullmatch(text):
        raise _word_error(field, item, text)
    highest = field.maximum + (field is WEEKDAY)
    if not field.minimum <= int(text) <= highest:
        raise FieldError(f"{field.name} must be {field.allowed}, got {text}")
    return int(text)


def _last_value(field: Field, item: str, text: str) -> int:
    """Return the end of a range; `L` is the end of the month."""
    if field is DAY_OF_MONTH and text.lower() == "l":
        return field.maximum
    return _value(field, item, text)


def _step(field: Field, item: str, text: str, *, strict: bool) -> int:
    limit = field.size if strict else MAX_STORED_STEP
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= limit:
        message = f"the {field.name} step must be 1-{field.size}, got {text!r}"
        raise FieldError(message + _interval_instead(field, text))
    return int(text)


def _interval_instead(field: Field, text: str) -> str:
    """Explain a step that is longer than its field, which crontabs ignore."""
    unit_ms = _UNITS_MS.get(field.name)
    if unit_ms is None or not _NUMBER.fullmatch(text) or len(text) > MAX_DIGITS or int(text) == 0:
        return ""
    return f"; for every {int(text)} {field.name}s, use intervalMs: {int(text) * unit_ms}"


def _special_day(field: Field, text: str) -> str | None:
    word = text.lower()
    if field is DAY_OF_MONTH:
        if word == "l":
            return word
        if nearest := _NEAREST_WEEKDAY.fullmatch(word):
            day = nearest[1] or nearest[2]
            return f"{_value(field, text, day)}w"
    if field is WEEKDAY and word.startswith("l") and _NUMBER.fullmatch(word[1:]):
        return f"l{_value(field, text, word[1:]) % field.size}"
    return None


def _nth_weekdays(field: Field, item: str) -> Iterator[str]:
    days, _, nth = item.partition("#")
    if field is not WEEKDAY or nth not in {"1", "2", "3", "4", "5"} or "*" in days:
        message = f"{item!r} is not {field.article} {field.name}"
        raise FieldError(f"{message}; # takes 1-5 after a weekday, as in fri#2")
    low, _, high = days.partition("-")
    first = _value(field, item, low)
    last = _value(field, item, high) if high else first
    for day in _range(field, first, last, 1):
        yield f"{day}#{nth}"


def _invalid(field: Field, item: str) -> FieldError:
    message = (
        f"{item!r} is not {field.article} {field.name}; use a value, a range (1-5) or a step (*/5)"
    )
    return FieldError(message)


def _word_error(field: Field, item: str, text: str) -> FieldError:
    if not any(map(str.isalpha, text)):
        return _invalid(field, item)
    known = f"{field.words[0]}-{field.words[-1]} or a number" if field.words else field.allowed
    return FieldError(f"{text!r} is not {field.article} {field.name}; use {known}")
