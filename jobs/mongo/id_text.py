"""Writes a document's `_id`, of any type, as the text of a batch's cursor."""

from typing import Final

from bson import json_util
from bson.json_util import CANONICAL_JSON_OPTIONS

PREFIX: Final = "bson:"


def id_to_text(document_id: object) -> str:
    """Return an `_id` as text: a string as it is, any other type as canonical Extended JSON."""
    if isinstance(document_id, str) and not document_id.startswith(PREFIX):
        return document_id
    return PREFIX + json_util.dumps(document_id, json_options=CANONICAL_JSON_OPTIONS)


def id_from_text(text: str) -> object:
    """Return the `_id` that `id_to_text` wrote."""
    if not text.startswith(PREFIX):
        return text
    return json_util.loads(text.removeprefix(PREFIX), json_options=CANONICAL_JSON_OPTIONS)
