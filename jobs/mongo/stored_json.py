"""Lossless storage of clients' JSON in BSON.

The driver decodes an object with the keys `$ref` and `$id` as a DBRef, losing the original, so
`$ref` is escaped with another `$`. It returns integers above 32 bits as a class of its own, and
documents of other programs may contain types without a JSON equivalent.
"""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar, cast

from bson import DBRef, ObjectId, encode, json_util
from bson.json_util import CANONICAL_JSON_OPTIONS
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.json_values import NotJson, to_json_form
from ostinato.jobs.mongo.client import ENCODING_ERRORS, LENIENT_CODEC, Document
from ostinato.jobs.records import Json

JSON_FIELDS: Final = ("args", "result", "data", "lateAnswer")
"""Fields of Ostinato's documents that contain JSON from clients and functions."""

ID_PREFIX: Final = "bson:"  # of non-string ids in batch cursors

_READ_AS_REFERENCE: Final = re.compile(r"\$+ref")
_ESCAPED: Final = re.compile(r"\$\$+ref")
_CONTAINERS: Final = frozenset({dict, list})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

V = TypeVar("V")
EncodedDocument: TypeAlias = RawBSONDocument

to_json_form.register(ObjectId, str)
to_json_form.register(DBRef, DBRef.as_doc)


def escape(value: V) -> V:
    """Encode a value for storage; returns the same object unless a key needs escaping."""
    return cast("V", _escaped(value)) if _has_reference(value) else value


def restore(value: object) -> Json:
    """Decode a stored value; types without a JSON equivalent become MongoDB Extended JSON."""
    return cast("Json", value) if _is_plain(value) else _restored(value)


def escape_document(document: Mapping[str, Any]) -> Document:
    """Encode the JSON fields of an Ostinato document for storage."""
    return _changed(document, escape)


def restore_document(document: Document) -> Document:
    """Decode the JSON fields of a stored Ostinato document."""
    return _changed(document, restore)


def encode_document(document: Mapping[str, Any]) -> EncodedDocument:
    """Encode an Ostinato document for storage; raises one of ENCODING_ERRORS.

    The driver would encode all documents of an insert at once, and no other thread runs meanwhile.
    """
    return RawBSONDocument(encode(escape_document(document), codec_options=LENIENT_CODEC))


def escape_update(update: Mapping[str, Any]) -> Document:
    """Encode the JSON fields in an update's operators for storage."""
    return {operator: escape_document(fields) for operator, fields in update.items()}


def size_bytes(value: object) -> int:
    """Return the size of a value in a stored document; 0 if a write will reject it.

    It can be more than five times the size as JSON: `1,` in a long list takes 11 bytes.
    """
    try:
        return len(encode({"": value}))
    except ENCODING_ERRORS:
        return 0


def id_to_text(document_id: object) -> str:
    """Return an `_id` as text: strings unchanged, other types as canonical Extended JSON."""
    if isinstance(document_id, str) and not document_id.startswith(ID_PREFIX):
        return document_id
    return ID_PREFIX + json_util.dumps(document_id, json_options=CANONICAL_JSON_OPTIONS)


def id_from_text(text: str) -> object:
    """Parse the result of `id_to_text`."""
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
    """Convert a non-JSON value from another program, or stored before keys were escaped."""
    with suppress(NotJson):
        return to_json_form(value)
    try:
        return json_util.default(value, json_util.RELAXED_JSON_OPTIONS)
    except TypeError:  # a class that the driver's Extended JSON does not support
        return str(value)
