"""The one form of every id that a client sees: base64url of `TypeName:documentId`."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from strawberry import ID

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.ids import is_id

MAX_GLOBAL_ID_CHARS = 100  # the longest type name makes 52


def global_id(type_name: str, document_id: str) -> ID:
    """Make the id that clients see of a document."""
    return ID(urlsafe_b64encode(f"{type_name}:{document_id}".encode()).decode().rstrip("="))


def parse_global_id(text: str) -> tuple[str, str]:
    """Split a global id into type name and document id; raises ValueError unless it is one.

    Only the form that `global_id` makes is accepted, so that one object has one id in caches.
    """
    if len(text) > MAX_GLOBAL_ID_CHARS:
        raise ValueError("too long to be an id")
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("not an id") from error
    type_name, _, document_id = decoded.partition(":")
    if not is_id(document_id) or global_id(type_name, document_id) != text:
        raise ValueError("not an id")
    return type_name, document_id


def document_id(text: str, type_name: str) -> str:
    """Return the document id in a global id of that type; raises ValueError on anything else."""
    try:
        found, identifier = parse_global_id(text)
    except ValueError as error:
        raise ValueError(f"must be the id of a {type_name}, as this API gave it") from error
    if found != type_name:
        raise ValueError(f"must be the id of a {type_name}, but it is one of a {found}")
    return identifier


def argument_id(text: str, type_name: str, *path: str) -> str:
    """Return the document id in an argument; raises BadRequest that names the argument."""
    try:
        return document_id(text, type_name)
    except ValueError as error:
        field = ".".join(path)
        raise BadRequest.at(*path, message=f"{field} {error}", code="invalid_id") from error
