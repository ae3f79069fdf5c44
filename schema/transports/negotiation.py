"""Reads the HTTP headers that say what a body is and what the answer may be; pure.

Source: the GraphQL over HTTP specification, and RFC 9110, 12.5.1 for `Accept`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus

from ostinato.schema.transports.refusal import Refused


class MediaType(StrEnum):
    """What an answer can be; of those of one kind, the first is preferred among equals."""

    JSON = "application/json"
    GRAPHQL_RESPONSE = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    MULTIPART = "multipart/mixed"


SINGLES = (MediaType.JSON, MediaType.GRAPHQL_RESPONSE)
STREAMS = (MediaType.EVENT_STREAM, MediaType.MULTIPART)
HOW_TO_SUBSCRIBE = (
    f"`Accept: {MediaType.EVENT_STREAM}` or "
    f"`Accept: {MediaType.MULTIPART}; subscriptionSpec=1.0`, or graphql-transport-ws at this URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptable:
    """What a client takes: at least one of both."""

    single: MediaType | None
    """For one result."""
    stream: MediaType | None = None
    """For the results of a subscription; only what was named, never what `*/*` would cover."""


USUAL = 256  # clients send few different headers, each again and again
USUAL_CHARS = 256

_Rank = tuple[float, int, int]
UNACCEPTABLE: _Rank = (0.0, 2, 0)


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    quality: float
    for_subscriptions: bool

    @property
    def exactness(self) -> int:
        return 2 - self.kind.count("*")

    def covers(self, media_type: MediaType) -> bool:
        if media_type is MediaType.MULTIPART and not self.for_subscriptions:
            return False
        kind, _, subtype = self.kind.partition("/")
        own_kind, _, own_subtype = media_type.partition("/")
        return kind in {"*", own_kind} and subtype in {"*", own_subtype}


def negotiate(accept: str | None) -> Acceptable:
    """Return the best answers that `Accept` allows; raises Refused (406) if there is none."""
    wanted = accept or "*/*"
    return _usual(wanted) if len(wanted) <= USUAL_CHARS else _negotiated(wanted)


def _negotiated(accept: str) -> Acceptable:
    ranges = list(_ranges(accept))
    named = [each for each in ranges if each.exactness == 2]
    wanted = Acceptable(single=_best(SINGLES, ranges), stream=_best(STREAMS, named))
    if wanted.single is None and wanted.stream is None:
        message = f"accept {MediaType.GRAPHQL_RESPONSE} or {MediaType.JSON}"
        message += f"; for a subscription, send {HOW_TO_SUBSCRIBE}"
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, message)
    return wanted


_usual = lru_cache(maxsize=USUAL)(_negotiated)


def require_json(content_type: str | None, content_encoding: str | None) -> None:
    """Raise Refused (415) unless a body is plain JSON in UTF-8.

    It is also what keeps other sites' forms out: they cannot send this type without a preflight.
    """
    if content_type != MediaType.JSON and not _is_json(content_type or ""):
        message = "send `Content-Type: application/json`, in UTF-8"
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    if content_encoding not in {None, "", "identity"}:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without Content-Encoding")


def _is_json(content_type: str) -> bool:
    media_type, _, rest = content_type.partition(";")
    charset = _parameters(rest).get("charset", "utf-8")
    return media_type.strip().lower() == MediaType.JSON and charset in {"utf-8", "utf8"}


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether a client that sent this `Accept-Encoding` reads gzip."""
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
