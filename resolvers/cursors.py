"""Cursors of subscriptions: signed places in history, valid at every API process.

As text they sort by their place, but only for that: their content is nobody's business.
"""

import base64
import hmac
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.settings import Settings

VERSION: Final = b"\x01"
MAC_BYTES: Final = 16  # half of SHA-256: forging one takes 2^128 tries
KEPT: Final = 256  # texts: a list has one, an object one for each of its events
MAX_CHARS: Final = 1_024  # a position has about 100 bytes

_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SORTED: Final = bytes(sorted(_STANDARD))  # so that the text sorts as its bytes do
_ENCODE: Final = bytes.maketrans(_STANDARD, _SORTED)
_DECODE: Final = bytes.maketrans(_SORTED, _STANDARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a subscription is."""

    position: Position
    topic: str
    """The subscription that may resume here: its root field, and its object if it has one."""
    in_snapshot: bool = False
    """Whether the snapshot was not complete: it starts again."""
    seq: int = 0
    """The newest event delivered, where one object is watched; or of `partial`."""
    version: int = 0
    """The newest version delivered, where one object is watched."""
    partial: str | None = None
    """The job of whose next write the events up to `seq` have been delivered."""


class Cursors:
    """Sign and verify cursors with the installation's key."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.cursor_key

    def encode(self, cursor: Cursor) -> str:
        """Write a cursor as text."""
        position = bytes.fromhex(cursor.position)
        content = _written(
            cursor.topic, cursor.in_snapshot, cursor.seq, cursor.version, cursor.partial
        )
        body = VERSION + position + content + len(content).to_bytes(2)
        text = base64.urlsafe_b64encode(body + self._sign(body)).rstrip(b"=")
        return text.translate(_ENCODE).decode()

    def decode(self, text: str, topic: str) -> Cursor:
        """Read a cursor; raises BadRequest naming `after` for one that is not of this topic."""
        cursor = self._open(text)
        if cursor is None:
            raise _invalid("after is not a cursor of this server")
        if cursor.topic != topic:
            raise _invalid("after is a cursor of another subscription")
        return cursor

    def _open(self, text: str) -> Cursor | None:
        if len(text) > MAX_CHARS or not text.isascii():
            return None
        try:
            encoded = text.encode().translate(_DECODE)
            signed = base64.b64decode(encoded + b"=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            return None
        body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        if body[:1] != VERSION or not hmac.compare_digest(mac, self._sign(body)):
            return None
        size = int.from_bytes(body[-2:])
        topic, in_snapshot, seq, version, partial = json.loads(body[-2 - size : -2])
        return Cursor(
            position=Position(body[1 : -2 - size].hex().upper()),
            topic=topic,
            in_snapshot=bool(in_snapshot),
            seq=seq,
            version=version,
            partial=partial,
        )

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:MAC_BYTES]


@lru_cache(maxsize=KEPT)
def _written(topic: str, in_snapshot: bool, seq: int, version: int, partial: str | None) -> bytes:
    """Write what most cursors of a list have in common."""
    details = [topic, int(in_snapshot), seq, version, partial]
    return json.dumps(details, separators=(",", ":")).encode()


def _invalid(message: str) -> BadRequest:
    return BadRequest.at("after", message=message, code="invalid_cursor")
