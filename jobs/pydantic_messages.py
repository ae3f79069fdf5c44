"""Rewrites Pydantic's messages for users, without the names of Python classes. Pure."""

from collections.abc import Mapping
from typing import Any, Final

RAISED_PREFIXES: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}
"""What Pydantic puts before the message of an exception of ours, by the type of its error."""

OBJECT_ERRORS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
"""Errors where an object was expected; their messages name Python classes."""


def plain_message(found: Mapping[str, Any]) -> str:
    """Return the message of one of `ValidationError.errors()`; our own are unchanged."""
    message = str(found["msg"])
    if prefix := RAISED_PREFIXES.get(found["type"]):
        return message.removeprefix(prefix)
    if found["type"] in OBJECT_ERRORS:
        return "must be a JSON object"
    is_word = message[1:2].islower()
    return message[:1].lower() + message[1:] if is_word else message
