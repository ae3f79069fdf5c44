"""Serves GraphQL over HTTP: reads a request, runs its operation, answers with the right status.

Source: the GraphQL over HTTP specification. A subscription is refused: it needs a socket.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jobs.errors import OstinatoError, Unauthorized, Unavailable
from jobs.settings import Settings
from resolvers.auth import Authenticator, Viewer, bearer_token
from schema.errors import FormattedError, format_exception
from schema.transports.documents import RequestRejected
from schema.transports.encoding import decode, encode
from schema.transports.execution import Operation, OperationRequest, OperationRunner
from schema.transports.negotiation import MediaType, choose_media_type, require_json
from schema.transports.parameters import BadParameters, read_parameters
from schema.transports.refusal import Refused

JSON_PARAMETERS = ("variables", "extensions")
WITHOUT_CACHE = {"cache-control": "no-store"}


class HTTPEndpoint:
    """The ASGI application behind `/graphql` for HTTP requests."""

    def __init__(
        self, runner: OperationRunner, authenticator: Authenticator, settings: Settings
    ) -> None:
        self._runner = runner
        self._authenticator = authenticator
        self._body_limit_bytes = settings.body_limit_bytes
        self._body_timeout_s = settings.request_timeout_ms / 1_000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        media_type = MediaType.JSON
        try:
            _require_method(request.method)
            media_type = choose_media_type(request.headers.get("accept"))
            viewer = await self._viewer(request)
            body = await self._run(await self._read(request), viewer, request.method)
            return _response(HTTPStatus.OK, media_type, body)
        except Refused as refused:
            return _failure(refused.status, media_type, refused.errors, refused.headers)
        except RequestRejected as rejected:
            return _failure(_rejected_status(media_type), media_type, rejected.errors)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:
            errors = [format_exception(error)]
            return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, media_type, errors)

    async def _viewer(self, request: Request) -> Viewer | None:
        try:
            token = bearer_token(request.headers.get("authorization"))
            return None if token is None else await self._authenticator.viewer(token)
        except Unauthorized as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise _refused(HTTPStatus.UNAUTHORIZED, error, challenge) from None
        except Unavailable as error:
            raise _refused(HTTPStatus.SERVICE_UNAVAILABLE, error, {"retry-after": "5"}) from None

    async def _read(self, request: Request) -> OperationRequest:
        if request.method == "GET":
            return _parameters_of(_query_parameters(request))
        headers = request.headers
        require_json(headers.get("content-type"), headers.get("content-encoding"))
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await self._read_body(request)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
        return _parameters_of(_decoded(body))

    async def _read_body(self, request: Request) -> bytes:
        body = bytearray()
        announced = request.headers.get("content-length", "")
        self._require_size(int(announced) if announced.isdecimal() else 0)
        async for chunk in request.stream():
            body += chunk
            self._require_size(len(body))
        return bytes(body)

    def _require_size(self, size_bytes: int) -> None:
        if size_bytes > self._body_limit_bytes:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._body_limit_bytes} bytes",
                code="PAYLOAD_TOO_LARGE",
                headers={"connection": "close"},
            )

    async def _run(self, request: OperationRequest, viewer: Viewer | None, method: str) -> bytes:
        operation = self._runner.prepare(request)
        _require_servable(operation, method)
        return await self._runner.run(operation, viewer)


def _require_method(method: str) -> None:
    if method not in {"GET", "POST"}:
        message = "use POST, or GET for queries"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "GET, POST"})


def _require_servable(operation: Operation, method: str) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        message = "subscriptions are served over WebSocket, with graphql-transport-ws, at this URL"
        raise Refused(HTTPStatus.BAD_REQUEST, message)
    if operation.kind is OperationType.MUTATION and method == "GET":
        message = "send mutations by POST"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})


def _query_parameters(request: Request) -> dict[str, object]:
    parameters: dict[str, object] = dict(request.query_params)
    for name in JSON_PARAMETERS:
        if text := request.query_params.get(name):
            parameters[name] = _decoded(text)
    return parameters


def _decoded(data: bytes | str) -> object:
    try:
        return decode(data)
    except ValueError:
        message = "the request is not JSON, or is nested too deeply"
        raise Refused(HTTPStatus.BAD_REQUEST, message) from None


def _parameters_of(payload: object) -> OperationRequest:
    if isinstance(payload, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "send one operation a request: there is no batching")
    try:
        return read_parameters(payload)
    except BadParameters as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def _refused(status: HTTPStatus, error: OstinatoError, headers: dict[str, str]) -> Refused:
    return Refused(status, str(error), code=error.code, headers=headers)


def _rejected_status(media_type: MediaType) -> HTTPStatus:
    # Clients of the older type take any other status for a failure of the connection.
    return HTTPStatus.OK if media_type is MediaType.JSON else HTTPStatus.BAD_REQUEST


def _failure(
    status: HTTPStatus,
    media_type: MediaType,
    errors: list[FormattedError],
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    return _response(status, media_type, encode({"errors": errors}), headers)


def _response(
    status: HTTPStatus,
    media_type: MediaType,
    body: bytes,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    content_type = f"{media_type}; charset=utf-8"
    return Response(body, status, {**WITHOUT_CACHE, **headers}, content_type)
