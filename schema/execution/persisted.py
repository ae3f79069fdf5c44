"""Persisted documents by hash: documents that clients sent, and the allowed documents.

Implements Apollo's automatic persisted queries and operation manifest.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from ostinato.jobs.errors import BadRequest, Forbidden, OstinatoError
from ostinato.schema.execution.encoding import decode_json

EXTENSION = "persistedQuery"
APOLLO_MANIFEST = "apollo-persisted-query-manifest"
MAX_CACHE_CHARS = 4_194_304  # a few thousand documents
MAX_DOCUMENT_CHARS = 65_536  # so that one client cannot evict the documents of all others

Extensions = Mapping[str, Any]


class PersistedQueryNotFound(OstinatoError):
    """The hash is unknown; the client retries with the document."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedDocuments:
    """Documents by hash (LRU); allowed documents are never evicted."""

    def __init__(self, allowed: Mapping[str, str] | None = None) -> None:
        """Accept only the `allowed` documents (by id), if given."""
        by_id = allowed or {}
        self._allowed = {**by_id, **{sha256_hash(text): text for text in by_id.values()}}
        self._only_allowed = allowed is not None
        self._cache: LRUCache[str, str] = LRUCache(MAX_CACHE_CHARS, getsizeof=len)

    def resolve(self, text: str, extensions: Extensions | None) -> str:
        """Return the document to execute.

        Raises PersistedQueryNotFound, BadRequest or Forbidden.
        """
        given_hash = _hash_in(extensions)
        if not text:
            return self._find(given_hash or "")
        own = sha256_hash(text) if given_hash is not None or self._only_allowed else None
        if given_hash is not None and given_hash != own:
            raise BadRequest("`extensions.persistedQuery.sha256Hash` is not the hash of `query`")
        if self._only_allowed and own not in self._allowed:
            raise Forbidden(
                "this operation is not allowed: add it to OSTINATO_OPERATIONS_FILE on the server"
            )
        return text

    def store(self, text: str, extensions: Extensions | None) -> None:
        """Cache a valid document that was sent with its hash."""
        given_hash = _hash_in(extensions)
        if given_hash is None or given_hash in self._allowed or len(text) > MAX_DOCUMENT_CHARS:
            return
        self._cache[given_hash] = text

    def _find(self, given_hash: str) -> str:
        text = self._allowed.get(given_hash) or self._cache.get(given_hash)
        if text is None:
            raise PersistedQueryNotFound("PersistedQueryNotFound")
        return text


def sha256_hash(text: str) -> str:
    """Return the hash of a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_allowed_documents(path: Path) -> dict[str, str]:
    """Read documents by id, in the format of Apollo's or Relay's compiler; raises ValueError."""
    try:
        content = decode_json(path.read_bytes())
        if content.get("format") == APOLLO_MANIFEST:
            content = {each["id"]: each["body"] for each in content["operations"]}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"OSTINATO_OPERATIONS_FILE: cannot read the operations in {path} ({error!r}): correct "
            "the path or the file"
        ) from None
    if not all(isinstance(text, str) for text in content.values()):
        raise ValueError(
            f"OSTINATO_OPERATIONS_FILE: {path} must be a JSON object of documents by id"
        )
    return dict(content)


def _hash_in(extensions: Extensions | None) -> str | None:
    if not extensions or EXTENSION not in extensions:
        return None
    match extensions[EXTENSION]:
        case {"version": 1, "sha256Hash": str() as given_hash}:
            return given_hash
    raise BadRequest("`extensions.persistedQuery` must be {version: 1, sha256Hash: <string>}")
