"""Subscription cursors: signed positions in the history, valid on every API process.

Opaque to clients, except that their text sorts by position.
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
CONTENT_CACHE_SIZE: Final = 256  # one entry per list, one per event of an object
MAX_CHARS: Final = 1_024  # a position has about 100 bytes

_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SORTED: Final = bytes(sorted(_STANDARD))  # text sorts like its bytes
_ENCODE: Final = bytes.maketrans(_STANDARD, _SORTED)
_DECODE: Final = bytes.maketrans(_SORTED, _STANDARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCursor:
    """The position of a subscription."""

    position: Position
    topic: str
    """The subscription that can resume here: its root field, and its object id if any."""
    in_snapshot: bool = False
    """Whether the snapshot was incomplete; a resume restarts it."""
    seq: int = 0
    """The last event delivered, in single-object subscriptions."""
    version: int = 0
    """The last version delivered, in single-object subscriptions."""


class CursorCodec:
    """Signs and verifies cursors with the installation's key."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.cursor_key

    def encode(self, cursor: LiveCursor) -> str:
        """Return a cursor as text."""
        position = bytes.fromhex(cursor.position)
        content = _content(cursor.topic, cursor.in_snapshot, cursor.seq, cursor.version)
        body = VERSION + position + content + len(content).to_bytes(2)
        text = base64.urlsafe_b64encode(body + self._sign(body)).rstrip(b"=")
        return text.translate(_ENCODE).decode()

    def decode(self, text: str, topic: str) -> LiveCursor:
        """Parse a cursor; raises BadRequest at `after` if it is invalid or of another topic."""
        cursor = self._open(text)
        if cursor is None:
            raise _invalid("after is not a cursor of this server")
        if cursor.topic != topic:
            raise _invalid("after is a cursor of another subscription")
        return cursor

    def _open(self, text: str) -> LiveCursor | None:
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
        topic, in_snapshot, seq, version, _unused = json.loads(body[-2 - size : -2])
        return LiveCursor(
            position=Position(body[1 : -2 - size].hex().upper()),
            topic=topic,
            in_snapshot=bool(in_snapshot),
            seq=seq,
            version=version,
        )

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:MAC_BYTES]


@lru_cache(maxsize=CONTENT_CACHE_SIZE)
def _content(topic: str, in_snapshot: bool, seq: int, version: int) -> bytes:
    """Return the part shared by most cursors of a list.

    The last slot is unused: older versions stored the delivered part of a write there.
    """
    details = [topic, int(in_snapshot), seq, version, None]
    return json.dumps(details, separators=(",", ":")).encode()


def _invalid(message: str) -> BadRequest:
    return BadRequest.at("after", message=message, code="invalid_cursor")
