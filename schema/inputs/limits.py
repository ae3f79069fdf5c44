"""The limits of input fields, each as a reusable type; the numbers come from the engine."""

import math
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

import strawberry
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError, to_json
from strawberry.scalars import JSON

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.context import MAX_HORIZON, MAX_JOB_TIMEOUT_MS
from ostinato.jobs.functions.batch import MAX_BATCH_SIZE, MAX_ITEMS, MAX_PAGE_DELAY_MS
from ostinato.jobs.functions.new_cron import MAX_JITTER_MS, MAX_NAME_CHARS
from ostinato.jobs.functions.requests import MAX_TIMEOUT_MS, MIN_TIMEOUT_MS
from ostinato.jobs.lanes import MAX_PRIORITY, MAX_WEIGHT, QUEUE_PATTERN
from ostinato.jobs.schedules import MAX_INTERVAL_MS, MIN_INTERVAL_MS
from ostinato.schema.ids import document_id
from ostinato.schema.scalars import Milliseconds

MAX_DELAY_MS: Final = MAX_HORIZON // timedelta(milliseconds=1)
MAX_JSON_DEPTH: Final = 30  # functions wrap the value in an object, and accept 32
MAX_INT64: Final = 2**63 - 1  # the range of BSON integers
MIN_INT64: Final = -(2**63)
SHOWN_DIGITS: Final = 40
Path: TypeAlias = tuple[str | int, ...]


def _bounded_json(value: Any) -> Any:
    _check_values(value)
    size = len(to_json(value))
    if size > MAX_ARGS_BYTES:
        message = f"must be at most {MAX_ARGS_BYTES:,} bytes as JSON, got {size:,}"
        raise PydanticCustomError("too_long", message)
    return value


def _check_values(value: Any) -> None:
    """Reject what MongoDB cannot store; walks level by level, to need no recursion."""
    level: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        for item in level:
            try:
                _check_scalar(item)
            except PydanticCustomError as error:
                where = ".".join(map(str, _path_of(item, value))).replace("\0", "\\u0000")
                message = f"{where}: {error.message()}" if where else error.message()
                raise PydanticCustomError(error.type, message) from None
        containers = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return
        level = [inner for outer in containers for inner in _children(outer)]
    raise PydanticCustomError("too_deep", f"must not be nested deeper than {MAX_JSON_DEPTH} levels")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else ()


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        _storable_text(value)
    elif isinstance(value, int) and not MIN_INT64 <= value <= MAX_INT64:
        message = f"must be between {MIN_INT64} and {MAX_INT64}, got {_digits(value)}"
        raise PydanticCustomError("out_of_range", f"{message}: send it as a string")
    elif isinstance(value, float) and not math.isfinite(value):
        # The JSON decoder returns inf for a number that is too large for a double or a Python int.
        message = f"must be a number within ±{sys.float_info.max}: send it as a string"
        raise PydanticCustomError("out_of_range", message)


def _path_of(target: object, value: object) -> Path:
    """Return the path of a part of a value; a key has the path of its value."""
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if found is target:
            return path
        if isinstance(found, dict):
            waiting.extend(((*path, key), inner) for key, inner in found.items())
            waiting.extend(((*path, key), key) for key in found)
        elif isinstance(found, list):
            waiting.extend(((*path, index), inner) for index, inner in enumerate(found))
    return ()


def _digits(number: int) -> str:
    text = str(number)
    return text if len(text) <= SHOWN_DIGITS else f"{text[:SHOWN_DIGITS]}… ({len(text)} digits)"


def _storable_text(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null_character", "must not contain the NUL character, \\u0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "must not contain an unpaired surrogate") from None
    return text


def _json_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("not_an_object", "must be a JSON object")
    return value


def id_of(type_name: str) -> AfterValidator:
    """Build a validator that decodes the global id of a type to the document id."""

    def decode(text: str) -> str:
        try:
            return document_id(text, type_name)
        except ValueError as error:
            raise PydanticCustomError("invalid_id", str(error)) from error

    return AfterValidator(decode)


Name: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_storable_text)
]
AnyJson: TypeAlias = Annotated[JSON, AfterValidator(_bounded_json)]
JsonObject: TypeAlias = Annotated[JSON, AfterValidator(_json_object), AfterValidator(_bounded_json)]
Interval: TypeAlias = Annotated[Milliseconds, Field(ge=MIN_INTERVAL_MS, le=MAX_INTERVAL_MS)]
Delay: TypeAlias = Annotated[Milliseconds, Field(ge=0, le=MAX_DELAY_MS)]
PageDelay: TypeAlias = Annotated[Milliseconds, Field(ge=0, le=MAX_PAGE_DELAY_MS)]
Jitter: TypeAlias = Annotated[Milliseconds, Field(ge=0, le=MAX_JITTER_MS)]
JobTimeout: TypeAlias = Annotated[Milliseconds, Field(ge=1, le=MAX_JOB_TIMEOUT_MS)]
QueueName: TypeAlias = Annotated[str, Field(pattern=QUEUE_PATTERN)]
Priority: TypeAlias = Annotated[int, Field(ge=0, le=MAX_PRIORITY)]
Weight: TypeAlias = Annotated[int, Field(ge=1, le=MAX_WEIGHT)]
Timeout: TypeAlias = Annotated[Milliseconds, Field(ge=MIN_TIMEOUT_MS, le=MAX_TIMEOUT_MS)]
BatchSize: TypeAlias = Annotated[int, Field(ge=1, le=MAX_BATCH_SIZE)]
Items: TypeAlias = Annotated[list[AnyJson], Field(min_length=1, max_length=MAX_ITEMS)]
CronId: TypeAlias = Annotated[strawberry.ID, id_of("Cron")]
JobId: TypeAlias = Annotated[strawberry.ID, id_of("Job")]
FailureId: TypeAlias = Annotated[strawberry.ID, id_of("Failure")]
BatchId: TypeAlias = Annotated[strawberry.ID, id_of("Batch")]
