"""Formats results as parts of a multipart response, for Apollo's clients.

Source: Apollo's multipart protocol for subscriptions over HTTP. A part is complete when the next
boundary arrives, so each part is sent together with it.
"""

from ostinato.jobs.errors import OstinatoError
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.encoding import EncodedResult, encode_json
from ostinato.schema.transports.negotiation import MediaType

BOUNDARY = b"\r\n---"
HEAD = b"\r\ncontent-type: application/json\r\n\r\n"


class MultipartMixed:
    """Apollo's multipart subscription protocol."""

    content_type = f'{MediaType.MULTIPART}; boundary="-"; subscriptionSpec=1.0'
    opening = BOUNDARY
    heartbeat = HEAD + b"{}" + BOUNDARY
    complete = b"--\r\n"

    def result(self, result: EncodedResult) -> bytes:
        """Format a result; the protocol has no field for its cursor."""
        return b'%b{"payload":%b}%b' % (HEAD, result.payload, BOUNDARY)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """Format the end of a failed operation."""
        return self._part({"payload": {"data": None, "errors": errors}}) + self.complete

    def interrupted(self, error: OstinatoError) -> bytes:
        """Format the end of an interrupted stream, as an error of the transport."""
        errors = [format_exception(error)]
        return self._part({"payload": None, "errors": errors}) + self.complete

    def _part(self, content: object) -> bytes:
        return HEAD + encode_json(content) + BOUNDARY
