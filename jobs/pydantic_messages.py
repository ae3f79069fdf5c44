"""Rewrites Pydantic's messages for users, without the names of Python classes. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

RAISED_PREFIXES: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}
"""Prefixes that Pydantic adds to the messages of our own exceptions, by error type."""

OBJECT_ERRORS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
"""Errors where an object was expected; their messages name Python classes."""


def plain_message(found: Mapping[str, Any]) -> str:
    """Return the message of one of `ValidationError.errors()`; keep our own unchanged."""
    message = str(found["msg"])
    if prefix := RAISED_PREFIXES.get(found["type"]):
        return message.removeprefix(prefix)
    if found["type"] in OBJECT_ERRORS:
        return "must be a JSON object"
    is_word = message[1:2].islower()
    return message[:1].lower() + message[1:] if is_word else message
