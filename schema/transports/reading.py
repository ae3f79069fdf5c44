"""Reads GraphQL requests from HTTP requests, within limits of size and time."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from ostinato.jobs.settings import Settings
from ostinato.schema.transports.encoding import InvalidJson, decode_json
from ostinato.schema.transports.execution import OperationRequest
from ostinato.schema.transports.negotiation import require_json
from ostinato.schema.transports.parameters import InvalidParameters, parse_parameters
from ostinato.schema.transports.refusal import HttpError

JSON_PARAMETERS = ("variables", "extensions")


class RequestReader:
    """Reads requests; raises HttpError for a malformed, too large or too slow one."""

    def __init__(self, settings: Settings) -> None:
        self._body_limit_bytes = settings.body_limit_bytes
        self._body_timeout_s = settings.request_timeout_ms / 1_000

    async def read(self, request: Request) -> OperationRequest:
        """Return the GraphQL request of a GET or POST."""
        if request.method == "GET":
            return _parse_parameters(_query_parameters(request))
        headers = request.headers
        require_json(headers.get("content-type"), headers.get("content-encoding"))
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await self._read_body(request)
        except TimeoutError:
            raise HttpError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not arrive within {self._body_timeout_s:g} s: send it again",
                headers={"connection": "close"},
            ) from None
        return _parse_parameters(_decode(body, "the body"))

    async def _read_body(self, request: Request) -> bytes:
        body = bytearray()
        content_length = request.headers.get("content-length", "")
        self._require_size(int(content_length) if content_length.isdecimal() else 0)
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            self._require_size(len(body))
            more = message.get("more_body", False)
        return bytes(body)

    def _require_size(self, size_bytes: int) -> None:
        if size_bytes > self._body_limit_bytes:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._body_limit_bytes} bytes: send less at once, or "
                "raise OSTINATO_BODY_LIMIT_BYTES on the server",
                code="PAYLOAD_TOO_LARGE",
                headers={"connection": "close"},
            )


def _query_parameters(request: Request) -> dict[str, object]:
    parameters: dict[str, object] = dict(request.query_params)
    for name in JSON_PARAMETERS:
        if text := request.query_params.get(name):
            parameters[name] = _decode(text, f"`{name}`")
        else:  # an empty parameter counts as missing
            parameters.pop(name, None)
    return parameters


def _decode(data: bytes | str, what: str) -> object:
    try:
        return decode_json(data)
    except InvalidJson as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"{what} cannot be decoded: {error}") from None


def _parse_parameters(payload: object) -> OperationRequest:
    if isinstance(payload, list):
        raise HttpError(
            HTTPStatus.BAD_REQUEST, "batching is not supported: send one operation per request"
        )
    try:
        return parse_parameters(payload)
    except InvalidParameters as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from None
