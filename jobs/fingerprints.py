"""Fingerprints of errors: equal for errors that differ only in numbers, ids and quoted values."""

import hashlib
import re
from typing import Final

MAX_CHARS: Final = 500  # of a message: what follows are usually values
FINGERPRINT_CHARS: Final = 24
HEX: Final = r"(?:0x[0-9a-fA-F]+|(?=[0-9a-fA-F-]*[0-9])[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*)"
VARIABLE: Final = re.compile(rf"\b{HEX}\b|'[^']*'|\"[^\"]*\"|[0-9]+(?:[.,:_-][0-9]+)*")
SPACES: Final = re.compile(r"\s+")


def normalize(message: str) -> str:
    """Return a message with `*` in place of its numbers, ids and quoted values."""
    return SPACES.sub(" ", VARIABLE.sub("*", message[:MAX_CHARS])).strip()


def fingerprint_of(name: object, message: object) -> str:
    """Return the fingerprint of an error: 24 hexadecimal digits."""
    return digest(f"{name}\n{normalize(message) if isinstance(message, str) else ''}")


def digest(text: str) -> str:
    """Return 24 hexadecimal digits of a text, the form of an id."""
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).hexdigest()[:FINGERPRINT_CHARS]
