"""Reads what a client asks out of an HTTP request, within a bound of size and of time."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from ostinato.jobs.settings import Settings
from ostinato.schema.transports.encoding import Unreadable, decode
from ostinato.schema.transports.execution import OperationRequest
from ostinato.schema.transports.negotiation import require_json
from ostinato.schema.transports.parameters import BadParameters, read_parameters
from ostinato.schema.transports.refusal import Refused

JSON_PARAMETERS = ("variables", "extensions")


class RequestReader:
    """Read requests; raises Refused for one that has another form, size or pace."""

    def __init__(self, settings: Settings) -> None:
        self._body_limit_bytes = settings.body_limit_bytes
        self._body_timeout_s = settings.request_timeout_ms / 1_000

    async def read(self, request: Request) -> OperationRequest:
        """Return what a GET or POST asks for."""
        if request.method == "GET":
            return _parameters_of(_query_parameters(request))
        headers = request.headers
        require_json(headers.get("content-type"), headers.get("content-encoding"))
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await self._read_body(request)
        except TimeoutError:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not arrive within {self._body_timeout_s:g} s: send it again",
                headers={"connection": "close"},
            ) from None
        return _parameters_of(_decoded(body, "the body"))

    async def _read_body(self, request: Request) -> bytes:
        body = bytearray()
        announced = request.headers.get("content-length", "")
        self._require_size(int(announced) if announced.isdecimal() else 0)
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
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._body_limit_bytes} bytes: send less at once, or "
                "raise OSTINATO_BODY_LIMIT_BYTES",
                code="PAYLOAD_TOO_LARGE",
                headers={"connection": "close"},
            )


def _query_parameters(request: Request) -> dict[str, object]:
    parameters: dict[str, object] = dict(request.query_params)
    for name in JSON_PARAMETERS:
        if text := request.query_params.get(name):
            parameters[name] = _decoded(text, f"`{name}`")
        else:  # written, but empty: not given
            parameters.pop(name, None)
    return parameters


def _decoded(data: bytes | str, what: str) -> object:
    try:
        return decode(data)
    except Unreadable as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{what} cannot be read: {error}") from None


def _parameters_of(payload: object) -> OperationRequest:
    if isinstance(payload, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "send one operation a request: there is no batching")
    try:
        return read_parameters(payload)
    except BadParameters as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
