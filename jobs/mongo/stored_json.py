"""Stores clients' JSON in BSON so that it is returned exactly as it was given.

The driver decodes an object with the keys `$ref` and `$id` as a DBRef, which loses the original:
such a key is stored with one more `$`. It returns numbers above 32 bits as its own class, and
documents that were not written by Ostinato may contain types that JSON does not have.
"""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

from bson import DBRef, ObjectId, json_util
from bson.json_util import CANONICAL_JSON_OPTIONS

from ostinato.jobs.json_values import NotJson, to_json_form
from ostinato.jobs.mongo.client import Document
from ostinato.jobs.records import Json

JSON_FIELDS: Final = ("args", "result", "data")
"""The fields of Ostinato's documents that contain JSON of clients and functions."""

ID_PREFIX: Final = "bson:"  # of an id in a batch's cursor that is not a string

_READ_AS_REFERENCE: Final = re.compile(r"\$+ref")
_ESCAPED: Final = re.compile(r"\$\$+ref")
_CONTAINERS: Final = frozenset({dict, list})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

V = TypeVar("V")

to_json_form.register(ObjectId, str)
to_json_form.register(DBRef, DBRef.as_doc)


def escape(value: V) -> V:
    """Return a value as it is stored: the same object, unless one of its keys is `$ref`."""
    return cast("V", _escaped(value)) if _has_reference(value) else value


def restore(value: object) -> Json:
    """Return a stored value as it was given; what is not JSON becomes MongoDB's Extended JSON."""
    return cast("Json", value) if _is_plain(value) else _restored(value)


def escape_document(document: Mapping[str, Any]) -> Document:
    """Return a document of Ostinato as it is stored."""
    return _changed(document, escape)


def restore_document(document: Document) -> Document:
    """Return a stored document of Ostinato with its JSON as it was given."""
    return _changed(document, restore)


def escape_update(update: Mapping[str, Any]) -> Document:
    """Return an update with the JSON in its operators as it is stored."""
    return {operator: escape_document(fields) for operator, fields in update.items()}


def id_to_text(document_id: object) -> str:
    """Return an `_id` as text: a string as it is, any other type as canonical Extended JSON."""
    if isinstance(document_id, str) and not document_id.startswith(ID_PREFIX):
        return document_id
    return ID_PREFIX + json_util.dumps(document_id, json_options=CANONICAL_JSON_OPTIONS)


def id_from_text(text: str) -> object:
    """Return the `_id` that `id_to_text` wrote."""
    if not text.startswith(ID_PREFIX):
        return text
    return json_util.loads(text.removeprefix(ID_PREFIX), json_options=CANONICAL_JSON_OPTIONS)


def _changed(document: Mapping[str, Any], change: Callable[[Any], object]) -> Document:
    changes: Document = {}
    for name in JSON_FIELDS:
        value = document.get(name)
        if value is not None and (changed := change(value)) is not value:
            changes[name] = changed
    return {**document, **changes} if changes else cast("Document", document)


def _has_reference(value: object) -> bool:
    if type(value) is dict:
        return "$ref" in "\0".join(value) or _any_has_reference(value.values())
    return type(value) is list and _any_has_reference(value)


def _any_has_reference(values: Collection[object]) -> bool:
    return not _CONTAINERS.isdisjoint(map(type, values)) and any(map(_has_reference, values))


def _escaped(value: object) -> object:
    if isinstance(value, dict):
        return {_escaped_key(key): _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value


def _escaped_key(key: str) -> str:
    return f"${key}" if _READ_AS_REFERENCE.fullmatch(key) else key


def _is_plain(value: object) -> bool:
    if type(value) in _PLAIN:
        return True
    if type(value) is dict:
        return "$$" not in "\0".join(value) and _all_plain(value.values())
    return type(value) is list and _all_plain(value)


def _all_plain(values: Collection[object]) -> bool:
    return _PLAIN.issuperset(map(type, values)) or all(map(_is_plain, values))


def _restored(value: object) -> Json:
    if isinstance(value, dict):
        return {_unescaped(key): _restored(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_restored(inner) for inner in value]
    return _restored_single(value)


def _restored_single(value: object) -> Json:
    match value:
        case None | bool() | float():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int.__index__(value)
        case _:
            return _restored(_form(value))


def _unescaped(key: str) -> str:
    return key[1:] if _ESCAPED.fullmatch(key) else key


def _form(value: object) -> object:
    """Return the JSON of a value that others wrote, or Ostinato wrote before keys were escaped."""
    with suppress(NotJson):
        return to_json_form(value)
    try:
        return json_util.default(value, json_util.RELAXED_JSON_OPTIONS)
    except TypeError:  # a class that the driver's Extended JSON does not support
        return str(value)
