"""Writes results as the parts of one answer, as Apollo's clients read subscriptions.

Source: Apollo's multipart protocol for subscriptions over HTTP. A part counts as complete when the
boundary behind it arrives, so each is sent with the boundary of the next.
"""

from ostinato.jobs.errors import OstinatoError
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.encoding import Encoded, encode
from ostinato.schema.transports.negotiation import MediaType

BOUNDARY = b"\r\n---"
HEAD = b"\r\ncontent-type: application/json\r\n\r\n"


class Multipart:
    """The frames of one answer in parts."""

    content_type = f'{MediaType.MULTIPART}; boundary="-"; subscriptionSpec=1.0'
    opening = BOUNDARY
    heartbeat = HEAD + b"{}" + BOUNDARY
    complete = b"--\r\n"

    def result(self, result: Encoded) -> bytes:
        """Write a result; the protocol has no place for a cursor beside it."""
        return b'%b{"payload":%b}%b' % (HEAD, result.payload, BOUNDARY)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """End because of the operation."""
        return self._part({"payload": {"data": None, "errors": errors}}) + self.complete

    def interrupted(self, error: OstinatoError) -> bytes:
        """End although the operation goes on; clients tell these errors from the operation's."""
        errors = [format_exception(error)]
        return self._part({"payload": None, "errors": errors}) + self.complete

    def _part(self, content: object) -> bytes:
        return HEAD + encode(content) + BOUNDARY
