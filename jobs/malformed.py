"""Reads documents that may not have been written by Ostinato: each field is of its type, or the
document is refused by itself, and the log names it once."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from ostinato.jobs.errors import Malformed
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.records import Job, Progress

R = TypeVar("R")
Document = Mapping[str, Any]

LOG_PERIOD_S: Final = 3_600.0  # a document that is read every second is not logged every second
FIX: Final = "repair or delete it in MongoDB"
INT32: Final = 2**31
SAFE_INTEGER: Final = 2**53  # JavaScript reads a larger number as another
EXACT_TYPES: Final = frozenset(
    {int, bool}
)  # the driver reads what is longer than 32 bits as an Int64
LARGE_COUNTS: Final = frozenset({"done", "total", "processed", "skipped_ticks"})
"""Counts of what may be more than 32 bits hold."""

OUTSIDE_YEARS: Final = "is a date outside the years 1 to 9999"
TYPE_NAMES: Final[Mapping[type, str]] = {
    NoneType: "null",
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number",
    datetime: "a date",
    list: "a list",
    tuple: "a list",
    frozenset: "a list",
    dict: "an object",
}
"""What types are called in messages; the first that fits."""

log = get_log(__name__)
_throttle = LogThrottle(LOG_PERIOD_S)


def read_as(decode: Callable[[Document], R], document: Document) -> R:
    """Read a document as a record; raises Malformed if it is not of the form of one."""
    try:
        record = decode(document)
        _require_types(record)
    except Exception as error:  # whatever decoding meets in what others wrote
        raise Malformed(
            f"the document {document.get('_id')!r} is not in the form that Ostinato writes: "
            f"{_problem(error)}; {FIX}"
        ) from error
    return record


def read_progress(job: Job) -> Progress | None:
    """Return how far a job has come; raises Malformed if its progress is of another form, and the
    log names the job once."""
    try:
        if job.progress is not None:
            _require_types(job.progress)
    except (TypeError, ValueError) as error:
        report("jobs", job.id, error)
        raise Malformed(
            f"the progress of the job {job.id!r} is not in the form that Ostinato writes: "
            f"{_problem(error)}; repair or delete it in MongoDB"
        ) from error
    return job.progress


def report(collection: str, document_id: object, error: Exception) -> None:
    """Log that a document is malformed; the same one at most once an hour."""
    if _throttle.allows((collection, repr(document_id))):
        log.error(
            "document.malformed",
            collection=collection,
            document_id=document_id if isinstance(document_id, str) else repr(document_id),
            error=_problem(error.__cause__ or error),
            fix=FIX,
        )


def _problem(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    return str(error) or type(error).__name__


def _require_types(record: object) -> None:
    """Raise TypeError or ValueError unless each field, and those below, are as annotated."""
    kind: type = type(record)
    form = _form_of(kind)
    types = tuple(map(type, form.values(record)))
    if types not in form.sound:
        form.check(record, types)
    for below in form.below(record):
        if type(below) is tuple:
            for each in below:
                _require_types(each)
        elif below is not None:
            _require_types(below)


class _Form:
    """What the annotations of a kind of record say, prepared for many checks."""

    def __init__(self, kind: type) -> None:
        hints = get_type_hints(kind)
        self._allowed: dict[str, tuple[type, ...]] = {}
        for each in fields(kind):
            if types := _types_in(hints[each.name]):
                self._allowed[each.name] = types
            elif each.default is MISSING:  # JSON that is not null
                self._allowed[each.name] = (object,)
        self.values = _getter(list(self._allowed))
        self.below = _getter([name for name in self._allowed if _has_records(hints[name])])
        self.sound: set[tuple[type, ...]] = set()
        """What types the fields have had that need no look at the values."""

    def check(self, record: object, types: tuple[type, ...]) -> None:
        """Look at each field; raises TypeError or ValueError."""
        for (name, allowed), present in zip(self._allowed.items(), types, strict=True):
            if not _fits(present, allowed):
                raise TypeError(f"{_stored(name)} {_mismatch(present, allowed)}")
            if int in allowed and present not in EXACT_TYPES:
                _require_whole(name, getattr(record, name))
        if not any(issubclass(each, int | float) and each not in EXACT_TYPES for each in types):
            self.sound.add(types)


@lru_cache(maxsize=64)
def _form_of(kind: type) -> _Form:
    return _Form(kind)


def _fits(present: type, allowed: tuple[type, ...]) -> bool:
    if present in (bool, NoneType):
        return present in allowed or (present is bool and object in allowed)
    # A Code is a str, too, but no key of a dict.
    if str in allowed and getattr(present, "__hash__", None) is None:
        return False
    # A shell writes 5 as 5.0.
    return issubclass(present, allowed) or (present is float and int in allowed)


def _require_whole(name: str, number: float | None) -> None:
    if number is None:
        return
    most = SAFE_INTEGER if name.endswith("ms") or name in LARGE_COUNTS else INT32
    if not (-most <= number < most and number % 1 == 0):
        raise ValueError(f"{_stored(name)} is {number}; it must be a whole number within ±{most}")


def _mismatch(present: type, allowed: tuple[type, ...]) -> str:
    if present.__name__ == "DatetimeMS" and datetime in allowed:  # a class of the driver
        return OUTSIDE_YEARS
    wanted = [_called(each) for each in allowed if each is not NoneType]
    return f"must be {' or '.join(wanted)}, got {_called(present)}"


def _called(kind: type) -> str:
    if is_dataclass(kind):
        return "an object"
    known = (name for each, name in TYPE_NAMES.items() if issubclass(kind, each))
    return next(known, "a value" if kind is object else f"a value of the type {kind.__name__}")


def _stored(name: str) -> str:
    """Name a field as documents do."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _types_in(hint: object) -> tuple[type, ...]:
    """Return the classes that an annotation allows; none for JSON, which may be anything."""
    origin = get_origin(hint)
    if isinstance(hint, type) and origin is None:
        return (hint,)
    if origin in (dict, tuple, frozenset):
        return (origin,)
    arms = get_args(hint)
    return tuple(arms) if all(isinstance(arm, type) for arm in arms) else ()


def _has_records(hint: object) -> bool:
    """Tell whether a field holds records to be checked as well: progress is checked when shown."""
    kinds = {each for each in (hint, *get_args(hint)) if is_dataclass(each)}
    return bool(kinds - {Progress})


def _getter(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    if not names:
        return lambda _: ()
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda record: (read(record),)
