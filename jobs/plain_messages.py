"""Writes Pydantic's errors as plain sentences about a field: what it must be. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

from ostinato.jobs.lanes import QUEUE_PATTERN

HTTP_PATTERN: Final = r"^https?://[^\s@\\]+$"
FINGERPRINT_PATTERN: Final = "^[0-9a-f]{24}$"
RAISED_PREFIXES: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}
"""Prefixes that Pydantic adds to the messages of our own exceptions, by error type."""

_MOMENT: Final = "must be a date and a time, such as 2030-12-24T18:00:00Z"
_OBJECT: Final = "must be a JSON object"
_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a known name",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": _OBJECT,  # the messages of these types name Python classes
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "none_required": "must be null",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "timezone_aware": "must have a time zone, such as the Z of 2030-12-24T18:00:00Z",
    "date_type": "must be a date, such as 2030-12-24",
    "date_parsing": "must be a date, such as 2030-12-24",
    "date_from_datetime_parsing": "must be a date, such as 2030-12-24",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
}
_PATTERNS: Final[Mapping[str, str]] = {
    QUEUE_PATTERN: "must have 1 to 64 lower-case letters, digits, _ and -",
    FINGERPRINT_PATTERN: "must have 24 hexadecimal digits",
    HTTP_PATTERN: "must be an http or https address without user name, such as "
    "https://example.com/hook",
}


def plain_message(found: Mapping[str, Any]) -> str:
    """Return the message of one of `ValidationError.errors()`, which must have its context.

    It continues the name of the field. Our own messages are unchanged.
    """
    kind, context, message = str(found["type"]), found.get("ctx") or {}, str(found["msg"])
    if prefix := RAISED_PREFIXES.get(kind):
        return message.removeprefix(prefix)
    if message[:1].islower():  # of our own, which may have the type of another error
        return message
    if sentence := _SENTENCES.get(kind):
        return sentence.format(**context)
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"must match the pattern {context['pattern']}")
    if kind.endswith(("too_short", "too_long")):
        return _size_message("character" if kind.startswith("string") else "item", context)
    is_word = message[1:2].islower()
    return message[:1].lower() + message[1:] if is_word else message


def _size_message(noun: str, limits: Mapping[str, int]) -> str:
    least = limits.get("min_length")
    if least == 1:
        return "must not be empty"
    count, bound = (limits["max_length"], "most") if least is None else (least, "least")
    return f"must have at {bound} {count:,} {noun}{'' if count == 1 else 's'}"
