"""Global ids: base64url of `TypeName:documentId`."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from strawberry import ID

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.ids import is_id

MAX_GLOBAL_ID_CHARS = 100  # the longest type name needs 52


def global_id(type_name: str, document_id: str) -> ID:
    """Return the global id of a document."""
    return ID(urlsafe_b64encode(f"{type_name}:{document_id}".encode()).decode().rstrip("="))


def parse_global_id(text: str) -> tuple[str, str]:
    """Split a global id into type name and document id; raises ValueError if it is invalid.

    Accepts only the exact output of `global_id`, so that each object has one id in client caches.
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


def document_id(text: str, *type_names: str) -> str:
    """Return the document id of a global id of one of the types; raises ValueError otherwise."""
    names = " or ".join(type_names)
    try:
        found, identifier = parse_global_id(text)
    except ValueError as error:
        raise ValueError(f"must be the id of a {names}, as returned by this API") from error
    if found not in type_names:
        raise ValueError(f"must be the id of a {names}, got the id of a {found}")
    return identifier


def argument_id(text: str, type_name: str, *path: str) -> str:
    """Return the document id of an argument; raises a BadRequest with the argument's path."""
    try:
        return document_id(text, type_name)
    except ValueError as error:
        field = ".".join(path)
        raise BadRequest.at(*path, message=f"{field} {error}", code="invalid_id") from error
