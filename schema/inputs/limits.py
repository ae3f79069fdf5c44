"""Reusable input field types with the limits of the engine."""

from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

import strawberry
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError, to_json
from strawberry.scalars import JSON

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.context import MAX_HORIZON
from ostinato.jobs.filters import MAX_IDS
from ostinato.jobs.functions.answers import MAX_ERROR_CHARS, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS
from ostinato.jobs.functions.batch import (
    MAX_BATCH_SIZE,
    MAX_FAILED_ITEMS,
    MAX_ITEMS,
    MAX_PAGE_DELAY_MS,
)
from ostinato.jobs.functions.new_cron import (
    MAX_FAILURES,
    MAX_JITTER_MS,
    MAX_RUN_COUNT,
    MAX_WINDOW_MS,
    MIN_WINDOW_MS,
)
from ostinato.jobs.json_values import NotJson, TooLarge, find_text_problem, to_json_value
from ostinato.jobs.lanes import MAX_PRIORITY, MAX_WEIGHT, QUEUE_PATTERN
from ostinato.jobs.options import MAX_JOB_TIMEOUT_MS, MAX_NAME_CHARS
from ostinato.jobs.plain_messages import FINGERPRINT_PATTERN
from ostinato.jobs.rights import MAX_OWNER_CHARS
from ostinato.jobs.schedules import MAX_INTERVAL_MS, MIN_INTERVAL_MS
from ostinato.jobs.tags import MAX_TAG_CHARS, MAX_TAGS
from ostinato.resolvers.auth import MAX_TOKEN_ID_CHARS
from ostinato.schema.ids import document_id
from ostinato.schema.scalars import Milliseconds
from ostinato.schema.types.cause import CAUSE_TYPES

MAX_DELAY_MS: Final = MAX_HORIZON // timedelta(milliseconds=1)
MAX_REASON_CHARS: Final = 500
EXPECTED_VERSION: Final = (
    "The `version` that you have read: if the object has another one, nothing changes, and the "
    "error is a CONFLICT with its `currentVersion`. Each tick and each page increases the version."
)
MAX_JSON_DEPTH: Final = 30  # the engine accepts 32, including the object that wraps the value


def _bounded_json(value: Any) -> Any:
    """Reject values that are too large or that MongoDB cannot store."""
    try:
        to_json_value(value, limit_bytes=MAX_ARGS_BYTES, max_depth=MAX_JSON_DEPTH, allow_nul=False)
    except NotJson as error:
        where = ".".join(map(str, error.path))
        message = f"{where}: {error.problem}" if where else error.problem
        raise PydanticCustomError(error.code, message) from None
    except TooLarge as error:
        raise PydanticCustomError(error.code, str(error)) from None
    size = len(to_json(value))
    if size > MAX_ARGS_BYTES:
        message = f"must be at most {MAX_ARGS_BYTES:,} bytes as JSON, got {size:,}"
        raise PydanticCustomError("too_long", message)
    return value


def _storable_text(text: str) -> str:
    problem = find_text_problem(text)
    if problem is not None:
        raise PydanticCustomError(problem.code, problem.message)
    return text


def _json_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("not_an_object", "must be a JSON object")
    return value


def id_of(*type_names: str) -> AfterValidator:
    """Build a validator that decodes global ids of these types to document ids."""

    def decode(text: str) -> str:
        try:
            return document_id(text, *type_names)
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
Tag: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_TAG_CHARS), AfterValidator(_storable_text)
]
Tags: TypeAlias = Annotated[list[Tag], Field(max_length=MAX_TAGS)]
MaxRuns: TypeAlias = Annotated[int, Field(ge=1, le=MAX_RUN_COUNT)]
CatchUpWindow: TypeAlias = Annotated[Milliseconds, Field(ge=MIN_WINDOW_MS, le=MAX_WINDOW_MS)]
MaxFailures: TypeAlias = Annotated[int, Field(ge=1, le=MAX_FAILURES)]
JobTimeout: TypeAlias = Annotated[Milliseconds, Field(ge=1, le=MAX_JOB_TIMEOUT_MS)]
QueueName: TypeAlias = Annotated[str, Field(pattern=QUEUE_PATTERN)]
Priority: TypeAlias = Annotated[int, Field(ge=0, le=MAX_PRIORITY)]
Weight: TypeAlias = Annotated[int, Field(ge=1, le=MAX_WEIGHT)]
Timeout: TypeAlias = Annotated[Milliseconds, Field(ge=MIN_TIMEOUT_MS, le=MAX_TIMEOUT_MS)]
BatchSize: TypeAlias = Annotated[int, Field(ge=1, le=MAX_BATCH_SIZE)]
MaxFailedItems: TypeAlias = Annotated[int, Field(ge=0, le=MAX_FAILED_ITEMS)]
Items: TypeAlias = Annotated[list[AnyJson], Field(min_length=1, max_length=MAX_ITEMS)]
OwnerId: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_OWNER_CHARS), AfterValidator(_storable_text)
]
TokenId: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_TOKEN_ID_CHARS), AfterValidator(_storable_text)
]
RevocationId: TypeAlias = Annotated[
    strawberry.ID, Field(min_length=1, max_length=MAX_TOKEN_ID_CHARS + 4)
]
Reason: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_REASON_CHARS), AfterValidator(_storable_text)
]
ErrorText: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_ERROR_CHARS), AfterValidator(_storable_text)
]
CronId: TypeAlias = Annotated[strawberry.ID, id_of("Cron")]
JobId: TypeAlias = Annotated[strawberry.ID, id_of("Job")]
JobIds: TypeAlias = Annotated[list[JobId], Field(min_length=1, max_length=MAX_IDS)]
CauseId: TypeAlias = Annotated[strawberry.ID, id_of(*CAUSE_TYPES.values())]
AlertId: TypeAlias = Annotated[strawberry.ID, id_of("Alert")]
Fingerprint: TypeAlias = Annotated[str, Field(pattern=FINGERPRINT_PATTERN)]
FailureId: TypeAlias = Annotated[strawberry.ID, id_of("Failure")]
RecurringTaskId: TypeAlias = Annotated[strawberry.ID, id_of("RecurringTask")]
BatchId: TypeAlias = Annotated[strawberry.ID, id_of("Batch")]
BulkActionId: TypeAlias = Annotated[strawberry.ID, id_of("BulkAction")]
RequestId: TypeAlias = Annotated[strawberry.ID, id_of("Request")]
ItemId: TypeAlias = Annotated[strawberry.ID, id_of("Item")]
ItemIds: TypeAlias = Annotated[list[ItemId], Field(min_length=1, max_length=MAX_ITEMS)]
