"""Validating decoder of stored documents: rejects a document with a field of the wrong type, and
logs it once."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from ostinato.jobs.errors import Malformed
from ostinato.jobs.json_values import MAX_COUNT
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.records import Job, Progress

R = TypeVar("R")
Document = Mapping[str, Any]

LOG_PERIOD_S: Final = 3_600.0  # even for a document that is read every second
FIX: Final = "repair or delete it in MongoDB"
INT32: Final = (-(2**31), 2**31 - 1)  # the range of GraphQL's Int
SAFE_INTEGERS: Final = (-MAX_COUNT, MAX_COUNT)
EXACT_TYPES: Final = frozenset({int, bool})  # the driver returns more than 32 bits as an Int64
LARGE_COUNTS: Final = frozenset(
    {
        *("done", "total", "processed", "failed", "run_count", "skipped_ticks", "tick_count"),
        *("ran", "skipped", "missed", "coalesced", "canceled"),
    }
)
"""Counts that can exceed 32 bits."""

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
"""Names of types in messages; the first match wins."""

log = get_log(__name__)
_throttle = LogThrottle(LOG_PERIOD_S)


def read_as(decode: Callable[[Document], R], document: Document) -> R:
    """Decode a document as a record; raises Malformed for a missing field or a wrong type."""
    try:
        record = decode(document)
        _require_types(record)
    except Exception as error:  # decoding a foreign document can raise anything
        raise Malformed(
            f"the document {document.get('_id')!r} is not in Ostinato's format: "
            f"{_problem(error)}; {FIX}"
        ) from error
    return record


def read_progress(job: Job) -> Progress | None:
    """Return the progress of a job; if it is malformed, log the job once and raise Malformed."""
    try:
        if job.progress is not None:
            _require_types(job.progress)
    except (TypeError, ValueError) as error:
        report("jobs", job.id, error)
        raise Malformed(
            f"the progress of the job {job.id!r} is not in Ostinato's format: "
            f"{_problem(error)}; repair or delete it in MongoDB"
        ) from error
    return job.progress


def report(collection: str, document_id: object, error: Exception) -> None:
    """Log that a document is malformed, at most once an hour per document."""
    if _throttle.allows((collection, repr(document_id))):
        log.error(
            "document.malformed",
            collection=collection,
            document_id=document_id if isinstance(document_id, str) else repr(document_id),
            error=problem_of(error),
            fix=FIX,
        )


def problem_of(error: Exception) -> str:
    """Return what is wrong with a document, without its id and the fix."""
    return _problem(error.__cause__ or error)


def _problem(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    return str(error) or type(error).__name__


def _require_types(record: object) -> None:
    """Raise TypeError or ValueError unless all fields, nested or not, match their annotations."""
    kind: type = type(record)
    form = _form_of(kind)
    if not form.is_exact(record):
        form.check(record)


def _is_exact(record: object) -> bool:
    kind: type = type(record)
    return _form_of(kind).is_exact(record)


class _Form:
    """The types that the annotations of a record class allow, prepared for many checks."""

    def __init__(self, kind: type) -> None:
        hints = get_type_hints(kind)
        self._allowed: dict[str, tuple[type, ...]] = {}
        for each in fields(kind):
            if types := _types_in(hints[each.name]):
                self._allowed[each.name] = types
            elif each.default is MISSING:  # JSON that is not null
                self._allowed[each.name] = (object,)
        self._nested = [name for name in self._allowed if _has_records(hints[name])]
        self.is_exact = self._compile_exact()

    def _compile_exact(self) -> Callable[[object], bool]:
        """Compile a test that is true only for records that pass `check`, and for nearly all.

        It compares the types of all fields, nested ones too, in one expression, since a loop over
        the fields takes a third of the time that it takes to decode a document.
        """
        types = {f"{name}_types": allowed for name, allowed in self._allowed.items()}
        test = " and ".join(map(self._exact_term, self._allowed))
        names = {**types, "is_exact": _is_exact}
        source = f"lambda record: {test}"
        compiled: Callable[[object], bool] = eval(source, names)  # noqa: S307 (names of fields only)
        return compiled

    def _exact_term(self, name: str) -> str:
        value, allowed = f"record.{name}", self._allowed[name]
        if object in allowed:
            return f"{value} is not None"
        test = f"type({value}) in {name}_types"
        if name not in self._nested:
            return test
        if tuple in allowed:
            return f"{test} and all(map(is_exact, {value}))"
        return f"{test} and ({value} is None or is_exact({value}))"

    def check(self, record: object) -> None:
        """Check each field, and nested records; raises TypeError or ValueError."""
        for name, allowed in self._allowed.items():
            value = getattr(record, name)
            if not _fits(type(value), allowed):
                raise TypeError(f"{_stored_name(name)} {_mismatch(type(value), allowed)}")
            if int in allowed and type(value) not in EXACT_TYPES:
                _require_whole(name, value)
        for name in self._nested:
            nested = getattr(record, name)
            for each in nested if isinstance(nested, tuple) else (nested,):
                if each is not None:
                    _require_types(each)


@cache
def _form_of(kind: type) -> _Form:
    return _Form(kind)


def _fits(present: type, allowed: tuple[type, ...]) -> bool:
    if present in (bool, NoneType):
        return present in allowed or (present is bool and object in allowed)
    # A BSON Code is a str, but not hashable.
    if str in allowed and getattr(present, "__hash__", None) is None:
        return False
    # MongoDB's shell writes 5 as 5.0.
    return issubclass(present, allowed) or (present is float and int in allowed)


def _require_whole(name: str, number: float | None) -> None:
    if number is None:
        return
    is_large = name.endswith("ms") or name in LARGE_COUNTS
    minimum, maximum = SAFE_INTEGERS if is_large else INT32
    if not (minimum <= number <= maximum and number % 1 == 0):
        bounds = f"from {minimum} to {maximum}"
        raise ValueError(f"{_stored_name(name)} must be a whole number {bounds}, got {number}")


def _mismatch(present: type, allowed: tuple[type, ...]) -> str:
    if present.__name__ == "DatetimeMS" and datetime in allowed:  # a class of the driver
        return OUTSIDE_YEARS
    expected = [_type_name(each) for each in allowed if each is not NoneType]
    return f"must be {' or '.join(expected)}, got {_type_name(present)}"


def _type_name(kind: type) -> str:
    if is_dataclass(kind):
        return "an object"
    known = (name for each, name in TYPE_NAMES.items() if issubclass(kind, each))
    return next(known, "a value" if kind is object else f"a value of the type {kind.__name__}")


def _stored_name(name: str) -> str:
    """Return the name of a field in documents."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _types_in(hint: object) -> tuple[type, ...]:
    """Return the classes that an annotation allows; empty for JSON, which can be anything."""
    origin = get_origin(hint)
    if isinstance(hint, type) and origin is None:
        return (hint,)
    if origin in (dict, tuple, frozenset):
        return (origin,)
    arms = get_args(hint)
    return tuple(arms) if all(isinstance(arm, type) for arm in arms) else ()


def _has_records(hint: object) -> bool:
    """Return whether a field holds nested records to check; progress is checked when read."""
    kinds = {each for each in (hint, *get_args(hint)) if is_dataclass(each)}
    return bool(kinds - {Progress})
