"""Reads the HTTP headers that say what a body is and what the answer may be; pure.

Source: the GraphQL over HTTP specification, and RFC 9110, 12.5.1 for `Accept`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from schema.transports.refusal import Refused


class MediaType(StrEnum):
    """What an answer can be; the first is preferred among equals."""

    JSON = "application/json"
    GRAPHQL_RESPONSE = "application/graphql-response+json"


_Rank = tuple[float, int, int]
UNACCEPTABLE: _Rank = (0.0, 2, 0)


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    quality: float

    @property
    def exactness(self) -> int:
        return 2 - self.kind.count("*")

    def covers(self, media_type: str) -> bool:
        kind, _, subtype = self.kind.partition("/")
        own_kind, _, own_subtype = media_type.partition("/")
        return kind in {"*", own_kind} and subtype in {"*", own_subtype}


def choose_media_type(accept: str | None) -> MediaType:
    """Return the best answer that `Accept` allows; raises Refused (406)."""
    ranges = list(_ranges(accept or "*/*"))
    best = max(MediaType, key=lambda media_type: _rank(ranges, media_type))
    if _rank(ranges, best) > UNACCEPTABLE:
        return best
    message = f"accept {MediaType.GRAPHQL_RESPONSE} or {MediaType.JSON}"
    raise Refused(HTTPStatus.NOT_ACCEPTABLE, message)


def require_json(content_type: str | None, content_encoding: str | None) -> None:
    """Raise Refused (415) unless a body is plain JSON in UTF-8.

    It is also what keeps other sites' forms out: they cannot send this type without a preflight.
    """
    media_type, _, rest = (content_type or "").partition(";")
    charset = _parameters(rest).get("charset", "utf-8")
    if media_type.strip().lower() != MediaType.JSON or charset not in {"utf-8", "utf8"}:
        message = "send `Content-Type: application/json`, in UTF-8"
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    if content_encoding not in {None, "", "identity"}:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without Content-Encoding")


def _ranges(accept: str) -> Iterator[_Range]:
    for part in accept.split(","):
        kind, _, rest = part.partition(";")
        parameters = _parameters(rest)
        if kind.strip() and parameters.get("charset", "utf-8") in {"utf-8", "utf8", "*"}:
            yield _Range(kind.strip().lower(), _number(parameters.get("q", "1")))


def _rank(ranges: list[_Range], media_type: str) -> _Rank:
    """Rank by quality, then by how exactly it was asked for, then by who was named first."""
    covering = [found for found in ranges if found.covers(media_type)]
    if not covering:
        return UNACCEPTABLE
    closest = max(covering, key=lambda found: found.exactness)
    return (closest.quality, closest.exactness, -ranges.index(closest))


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def _number(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 < quality <= 1 else 0.0
