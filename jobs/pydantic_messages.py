"""Owns how Pydantic's messages read to a user: in our own form, without its machinery. Pure."""

from collections.abc import Mapping
from typing import Any, Final

RAISED_PREFIXES: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}
"""What Pydantic puts before a message that our own code raised, by the type of the error."""

OBJECT_ERRORS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
"""The types of errors where an object was expected; their messages name classes of Python."""


def plain_message(found: Mapping[str, Any]) -> str:
    """Give the message of one of `ValidationError.errors()`; ours are kept letter by letter."""
    message = str(found["msg"])
    if prefix := RAISED_PREFIXES.get(found["type"]):
        return message.removeprefix(prefix)
    if found["type"] in OBJECT_ERRORS:
        return "must be a JSON object"
    is_word = message[1:2].islower()
    return message[:1].lower() + message[1:] if is_word else message
