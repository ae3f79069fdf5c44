"""Errors of inputs and arguments are plain sentences that say what is allowed."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from ostinato.jobs.functions.actions import HttpCall
from ostinato.jobs.lanes import QUEUE_PATTERN
from ostinato.jobs.plain_messages import _SENTENCES, plain_message


class Closed(BaseModel):
    """A model without further fields."""

    model_config = ConfigDict(extra="forbid")

    name: str


def message_of(hint: Any, value: object) -> str:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(hint).validate_python(value)
    return plain_message(raised.value.errors()[0])


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Annotated[str, Field(min_length=1)], "", "must not be empty"),
        (Annotated[str, Field(min_length=3)], "ab", "must have at least 3 characters"),
        (Annotated[str, Field(max_length=2000)], "a" * 2001, "must have at most 2,000 characters"),
        (Annotated[list[int], Field(min_length=1)], [], "must not be empty"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "must have at most 1 item"),
        (str, 7, "must be a text"),
        (int, "x", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "x", "must be a number"),
        (bool, "x", "must be true or false"),
        (dict[str, int], 7, "must be a JSON object"),
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[int, Field(lt=9)], 9, "must be less than 9"),
        (Literal["a", "b"], "c", "must be 'a' or 'b'"),
        (datetime, "soon", "must be a date and a time, such as 2030-12-24T18:00:00Z"),
        (Closed, {}, "is required"),
        (Closed, {"name": "x", "nme": "y"}, "is not a known name"),
        (
            Annotated[str, Field(pattern=QUEUE_PATTERN)],
            "A B",
            "must have 1 to 64 lower-case letters, digits, _ and -",
        ),
        (Annotated[str, Field(pattern="^x$")], "y", "must match the pattern ^x$"),
    ],
)
def test_an_error_says_what_is_allowed(hint: Any, value: object, message: str) -> None:
    assert message_of(hint, value) == message


def test_message_about_a_missing_time_zone_has_an_example() -> None:
    assert message_of(AwareDatetime, "2030-01-01T00:00:00").startswith("must have a time zone")


def test_message_about_an_address_has_an_example() -> None:
    expected = "must be an http or https address without user name, such as"
    assert message_of(HttpCall, {"url": "example.com"}).startswith(expected)


def test_sentences_are_for_errors_of_pydantic() -> None:
    assert _SENTENCES.keys() <= set(get_args(ErrorType))


def test_a_message_of_our_own_is_unchanged() -> None:
    own = PydanticCustomError("too_long", "must be at most 65,536 bytes as JSON")

    def reject(_: str) -> str:
        raise own

    assert message_of(Annotated[str, AfterValidator(reject)], "x") == own.message()
