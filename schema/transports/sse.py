"""Writes results as server-sent events, in the distinct connections mode of graphql-sse.

Source: github.com/enisdenjo/graphql-sse, PROTOCOL.md. Clients take an end without `complete` for a
lost connection, and connect again.
"""

from ostinato.jobs.errors import OstinatoError, Unauthorized
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.encoding import Encoded, encode
from ostinato.schema.transports.negotiation import MediaType


class EventStream:
    """The frames of one stream of events."""

    content_type = f"{MediaType.EVENT_STREAM}; charset=utf-8"
    opening = b":\n\n"
    heartbeat = b":\n\n"
    complete = b"event: complete\ndata:\n\n"

    def result(self, result: Encoded) -> bytes:
        """Write a result; a client that reconnects sends its `id` as `Last-Event-ID`."""
        if result.cursor is None:
            return b"event: next\ndata: %b\n\n" % result.payload
        return b"event: next\nid: %b\ndata: %b\n\n" % (result.cursor.encode(), result.payload)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """End because of the operation: it will not be sent again."""
        return b"event: next\ndata: %b\n\n%b" % (encode({"errors": errors}), self.complete)

    def interrupted(self, error: OstinatoError) -> bytes:
        """End although the operation goes on: the client comes back with the newest `id`."""
        if isinstance(error, Unauthorized):
            errors = [format_exception(error)]
            return b"event: next\ndata: %b\n\n" % encode({"data": None, "errors": errors})
        return b": %b\n\n" % error.code.encode()
