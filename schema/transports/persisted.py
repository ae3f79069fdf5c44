"""Knows documents by a hash of their text: those that clients have sent, and those allowed to run.

Source: Apollo's automatic persisted queries, and its manifest of operations.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostinato.jobs.errors import BadRequest, Forbidden, OstinatoError
from ostinato.schema.transports.encoding import decode

EXTENSION = "persistedQuery"
APOLLO_MANIFEST = "apollo-persisted-query-manifest"
KEPT_CHARS = 4_194_304  # some thousand documents
MAX_DOCUMENT_CHARS = 65_536  # so that one client's documents do not push out all others

Extensions = Mapping[str, Any]


class PersistedQueryNotFound(OstinatoError):
    """The hash is of no document that is known here: its client sends the text as well."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedDocuments:
    """Find documents by hash; the least recently used go first, those of a list never."""

    def __init__(self, allowed: Mapping[str, str] | None = None) -> None:
        """Keep the documents that clients send; with `allowed`, by id, run those only."""
        listed = allowed or {}
        self._allowed = {**listed, **{digest(text): text for text in listed.values()}}
        self._only_allowed = allowed is not None
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._kept_chars = 0

    def text_of(self, text: str, extensions: Extensions | None) -> str:
        """Return the document to run; raises PersistedQueryNotFound, BadRequest or Forbidden."""
        sent = _sent_hash(extensions)
        if not text:
            return self._find(sent or "")
        own = digest(text) if sent is not None or self._only_allowed else None
        if sent is not None and sent != own:
            raise BadRequest("`extensions.persistedQuery.sha256Hash` is not the hash of `query`")
        if self._only_allowed and own not in self._allowed:
            raise Forbidden(
                "this operation is not on the list of those that run here: its operator adds it to "
                "OSTINATO_OPERATIONS_FILE"
            )
        return text

    def keep(self, text: str, extensions: Extensions | None) -> None:
        """Remember a valid document whose client sent its hash."""
        sent = _sent_hash(extensions)
        if sent is None or sent in self._allowed or len(text) > MAX_DOCUMENT_CHARS:
            return
        if sent not in self._kept:
            self._kept_chars += len(text)
        self._kept[sent] = text
        self._kept.move_to_end(sent)
        while self._kept_chars > KEPT_CHARS:
            _, dropped = self._kept.popitem(last=False)
            self._kept_chars -= len(dropped)

    def _find(self, sent: str) -> str:
        text = self._allowed.get(sent) or self._kept.get(sent)
        if text is None:
            raise PersistedQueryNotFound("PersistedQueryNotFound")
        return text


def digest(text: str) -> str:
    """Return the hash that a document is known by."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_allowed(path: Path) -> dict[str, str]:
    """Read documents by id, as Apollo's or Relay's compiler writes them; raises ValueError."""
    try:
        content = decode(path.read_bytes())
        if content.get("format") == APOLLO_MANIFEST:
            content = {each["id"]: each["body"] for each in content["operations"]}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"OSTINATO_OPERATIONS_FILE: cannot read the operations of {path} ({error!r}): correct "
            "the path or the file"
        ) from None
    if not all(isinstance(text, str) for text in content.values()):
        raise ValueError(
            f"OSTINATO_OPERATIONS_FILE: {path} must hold documents by their ids, as one JSON object"
        )
    return dict(content)


def _sent_hash(extensions: Extensions | None) -> str | None:
    if not extensions or EXTENSION not in extensions:
        return None
    match extensions[EXTENSION]:
        case {"version": 1, "sha256Hash": str() as sent}:
            return sent
    raise BadRequest("`extensions.persistedQuery` must be {version: 1, sha256Hash: a string}")
