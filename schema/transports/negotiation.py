"""Content negotiation by `Accept`, `Accept-Encoding` and `Content-Type`, and compression.

Implements the GraphQL over HTTP specification, and RFC 9110, 12.5.1 for `Accept`.
"""

import asyncio
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus

from ostinato.schema.errors import FormattedError


class MediaType(StrEnum):
    """Response media types, in order of preference within single results and streams."""

    JSON = "application/json"
    GRAPHQL_RESPONSE = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    MULTIPART = "multipart/mixed"


SINGLE_TYPES = (MediaType.JSON, MediaType.GRAPHQL_RESPONSE)
STREAM_TYPES = (MediaType.EVENT_STREAM, MediaType.MULTIPART)
HOW_TO_SUBSCRIBE = (
    f"`Accept: {MediaType.EVENT_STREAM}` or `Accept: {MediaType.MULTIPART}; "
    "subscriptionSpec=1.0`, or use graphql-transport-ws at this URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedTypes:
    """The best media types that a client accepts; at least one is set."""

    single: MediaType | None
    """The type for a single result."""
    stream: MediaType | None = None
    """The type for a stream of results. Must be named explicitly: `*/*` does not match."""


ACCEPT_CACHE_SIZE = 256  # clients send few distinct headers
MAX_CACHED_ACCEPT_CHARS = 256

_Rank = tuple[float, int, int]
UNACCEPTABLE: _Rank = (0.0, 2, 0)


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    quality: float
    for_subscriptions: bool

    @property
    def specificity(self) -> int:
        return 2 - self.kind.count("*")

    def covers(self, media_type: MediaType) -> bool:
        if media_type is MediaType.MULTIPART and not self.for_subscriptions:
            return False
        kind, _, subtype = self.kind.partition("/")
        own_kind, _, own_subtype = media_type.partition("/")
        return kind in {"*", own_kind} and subtype in {"*", own_subtype}


def negotiate(accept: str | None) -> AcceptedTypes:
    """Return the best media types that `Accept` allows; raises HttpError (406) if none match."""
    header = accept or "*/*"
    return (
        _negotiate_cached(header) if len(header) <= MAX_CACHED_ACCEPT_CHARS else _negotiate(header)
    )


def _negotiate(accept: str) -> AcceptedTypes:
    ranges = list(_ranges(accept))
    named = [each for each in ranges if each.specificity == 2]
    accepted = AcceptedTypes(single=_best(SINGLE_TYPES, ranges), stream=_best(STREAM_TYPES, named))
    if accepted.single is None and accepted.stream is None:
        message = f"not acceptable: accept {MediaType.GRAPHQL_RESPONSE} or {MediaType.JSON}"
        message += f"; for a subscription, send {HOW_TO_SUBSCRIBE}"
        raise HttpError(HTTPStatus.NOT_ACCEPTABLE, message)
    return accepted


_negotiate_cached = lru_cache(maxsize=ACCEPT_CACHE_SIZE)(_negotiate)


def require_json(content_type: str | None, content_encoding: str | None) -> None:
    """Raise HttpError (415) unless a body is uncompressed JSON in UTF-8.

    This also prevents CSRF: HTML forms cannot send this type, and scripts need a preflight.
    """
    if content_type != MediaType.JSON and not _is_json(content_type or ""):
        message = "the body must be JSON: send `Content-Type: application/json`, in UTF-8"
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    if content_encoding not in {None, "", "identity"}:
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "compressed bodies are not supported: send the body without Content-Encoding",
        )


def _is_json(content_type: str) -> bool:
    media_type, _, rest = content_type.partition(";")
    charset = _parameters(rest).get("charset", "utf-8")
    return media_type.strip().lower() == MediaType.JSON and charset in {"utf-8", "utf8"}


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether `Accept-Encoding` allows gzip."""
    for part in (accept_encoding or "").lower().split(","):
        coding, _, rest = part.partition(";")
        if coding.strip() in {"gzip", "x-gzip", "*"}:
            return _number(_parameters(rest).get("q", "1")) > 0
    return False


def _ranges(accept: str) -> Iterator[_Range]:
    for part in accept.split(","):
        kind, _, rest = part.partition(";")
        parameters = _parameters(rest)
        if kind.strip() and parameters.get("charset", "utf-8") in {"utf-8", "utf8", "*"}:
            quality = _number(parameters.get("q", "1"))
            for_subscriptions = parameters.get("subscriptionspec") == "1.0"
            yield _Range(kind.strip().lower(), quality, for_subscriptions)


def _best(offered: Iterable[MediaType], ranges: list[_Range]) -> MediaType | None:
    best = max(offered, key=lambda media_type: _rank(ranges, media_type))
    return best if _rank(ranges, best) > UNACCEPTABLE else None


def _rank(ranges: list[_Range], media_type: MediaType) -> _Rank:
    """Rank by quality, then by specificity, then by position in the header."""
    covering = [found for found in ranges if found.covers(media_type)]
    if not covering:
        return UNACCEPTABLE
    closest = max(covering, key=lambda found: found.specificity)
    return (closest.quality, closest.specificity, -ranges.index(closest))


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def _number(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 < quality <= 1 else 0.0


MIN_COMPRESSED_BYTES = 1_024  # smaller responses fit in one or two packets
MAX_INLINE_BYTES = 65_536  # compressing more takes over 1 ms
GZIP_LEVEL = 4  # JSON shrinks to a tenth; higher levels take twice as long to save 10 % more
GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def compress(body: bytes) -> bytes:
    """Compress with gzip, in a thread if the body is large."""
    if len(body) < MAX_INLINE_BYTES:
        return _compress(body)
    return await asyncio.to_thread(_compress, body)


def _compress(body: bytes) -> bytes:
    return zlib.compress(body, GZIP_LEVEL, GZIP_WINDOW)


class HttpError(Exception):
    """An HTTP error response with a status and one GraphQL error."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str = "BAD_REQUEST",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    @property
    def errors(self) -> list[FormattedError]:
        return [{"message": str(self), "extensions": {"code": self.code}}]
