"""Serves GraphQL over HTTP: runs what a request asks, answers with the right type and status.

Source: the GraphQL over HTTP specification. A subscription is answered by a stream.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.jobs.errors import OstinatoError, Unauthorized, Unavailable
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Authenticator, Viewer, bearer_token
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.compression import MIN_BYTES, gzipped
from ostinato.schema.transports.documents import RequestRejected
from ostinato.schema.transports.encoding import Encoded, encode
from ostinato.schema.transports.execution import Operation, OperationRunner
from ostinato.schema.transports.multipart import Multipart
from ostinato.schema.transports.negotiation import (
    HOW_TO_SUBSCRIBE,
    SINGLES,
    Acceptable,
    MediaType,
    negotiate,
    takes_gzip,
)
from ostinato.schema.transports.protocol import CloseCode
from ostinato.schema.transports.reading import RequestReader
from ostinato.schema.transports.refusal import Refused
from ostinato.schema.transports.resuming import resumed
from ostinato.schema.transports.sockets import SocketClosing, Sockets
from ostinato.schema.transports.sse import EventStream
from ostinato.schema.transports.streaming import Framing, Results, Stream, Streamed, rejecting

HEADERS = {"cache-control": "no-store", "vary": "accept, accept-encoding, authorization"}
FRAMINGS: Mapping[MediaType, Framing] = {
    MediaType.EVENT_STREAM: EventStream(),
    MediaType.MULTIPART: Multipart(),
}


class HTTPEndpoint:
    """The ASGI application behind `/graphql` for HTTP requests."""

    def __init__(
        self,
        runner: OperationRunner,
        authenticator: Authenticator,
        sockets: Sockets,
        settings: Settings,
    ) -> None:
        self._runner = runner
        self._authenticator = authenticator
        self._sockets = sockets
        self._settings = settings
        self._reader = RequestReader(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        try:
            await response(scope, receive, send)
        except SocketClosing as closing:
            await _failed(_no_place(closing))(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        media_type = MediaType.JSON
        try:
            _require_method(request.method)
            wanted = negotiate(request.headers.get("accept"))
            media_type = wanted.single or media_type
            viewer = await self._viewer(request)
            return await self._answer(request, wanted, viewer)
        except Refused as refused:
            return _failed(refused, media_type)
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

    async def _answer(self, request: Request, wanted: Acceptable, viewer: Viewer | None) -> ASGIApp:
        asked = await self._reader.read(request)
        try:
            operation = self._runner.prepare(asked)
            _require_servable(operation, request.method, wanted)
            if operation.kind is OperationType.SUBSCRIPTION:
                operation = resumed(operation, request.headers.get("last-event-id"))
                return self._stream(request, wanted, viewer, self._runner.events(operation, viewer))
        except RequestRejected as rejected:
            if wanted.single is not None:
                raise
            return self._stream(request, wanted, viewer, rejecting(rejected))
        if wanted.single is None:
            return self._stream(request, wanted, viewer, self._once(operation, viewer))
        body = await self._runner.run(operation, viewer)
        headers: dict[str, str] = {}
        if len(body) >= MIN_BYTES and takes_gzip(request.headers.get("accept-encoding")):
            body, headers = await gzipped(body), {"content-encoding": "gzip"}
        return _response(HTTPStatus.OK, wanted.single, body, headers)

    async def _once(self, operation: Operation, viewer: Viewer | None) -> Results:
        yield Encoded(await self._runner.run(operation, viewer))

    def _stream(
        self, request: Request, wanted: Acceptable, viewer: Viewer | None, results: Results
    ) -> Stream:
        if viewer is None:
            error = Unauthorized("send a token: `Authorization: Bearer <token>`")
            raise _refused(HTTPStatus.UNAUTHORIZED, error, {"www-authenticate": "Bearer"})
        streamed = Streamed(
            framing=FRAMINGS[wanted.stream or MediaType.EVENT_STREAM],
            results=results,
            viewer=viewer,
            client=request.client,
        )
        return Stream(streamed, self._sockets, self._settings)


def _require_method(method: str) -> None:
    if method not in {"GET", "POST"}:
        message = "use POST, or GET for queries"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "GET, POST"})


def _require_servable(operation: Operation, method: str, wanted: Acceptable) -> None:
    if operation.kind is OperationType.SUBSCRIPTION and wanted.stream is None:
        message = f"a subscription is not answered by {SINGLES[0]}: send {HOW_TO_SUBSCRIBE}"
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, message)
    if operation.kind is OperationType.MUTATION and method == "GET":
        message = "send mutations by POST"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})


def _no_place(closing: SocketClosing) -> Refused:
    headers = {"retry-after": "1"}
    if closing.code is CloseCode.SERVICE_RESTART:
        status, code = HTTPStatus.SERVICE_UNAVAILABLE, Unavailable.code
    else:
        status, code = HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"
    return Refused(status, closing.reason, code=code, headers=headers)


def _refused(status: HTTPStatus, error: OstinatoError, headers: dict[str, str]) -> Refused:
    return Refused(status, str(error), code=error.code, headers=headers)


def _rejected_status(media_type: MediaType) -> HTTPStatus:
    # Clients of the older type take any other status for a failure of the connection.
    return HTTPStatus.OK if media_type is MediaType.JSON else HTTPStatus.BAD_REQUEST


def _failed(refused: Refused, media_type: MediaType = MediaType.JSON) -> Response:
    return _failure(refused.status, media_type, refused.errors, refused.headers)


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
    return Response(body, status, {**HEADERS, **headers}, content_type)
