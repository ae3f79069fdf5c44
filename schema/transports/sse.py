"""Formats results as server-sent events, in the distinct connections mode of graphql-sse.

Source: github.com/enisdenjo/graphql-sse, PROTOCOL.md. Clients treat an end without `complete` as a
lost connection and reconnect.
"""

from ostinato.jobs.errors import OstinatoError, Unauthorized
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.encoding import EncodedResult, encode_json
from ostinato.schema.transports.negotiation import MediaType


class ServerSentEvents:
    """Server-sent events of graphql-sse."""

    content_type = f"{MediaType.EVENT_STREAM}; charset=utf-8"
    opening = b":\n\n"
    heartbeat = b":\n\n"
    complete = b"event: complete\ndata:\n\n"

    def result(self, result: EncodedResult) -> bytes:
        """Format a result; clients send its `id` as `Last-Event-ID` when they reconnect."""
        if result.cursor is None:
            return b"event: next\ndata: %b\n\n" % result.payload
        return b"event: next\nid: %b\ndata: %b\n\n" % (result.cursor.encode(), result.payload)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """Format the end of a failed operation: clients do not retry it."""
        return b"event: next\ndata: %b\n\n%b" % (encode_json({"errors": errors}), self.complete)

    def interrupted(self, error: OstinatoError) -> bytes:
        """Format the end of a stream that clients resume from its newest `id`."""
        if isinstance(error, Unauthorized):
            errors = [format_exception(error)]
            return b"event: next\ndata: %b\n\n" % encode_json({"data": None, "errors": errors})
        return b": %b\n\n" % error.code.encode()
