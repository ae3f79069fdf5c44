"""GraphQL over HTTP; a subscription is served as a stream.

Implements the GraphQL over HTTP specification.
"""

import asyncio
import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.jobs.errors import (
    Forbidden,
    OstinatoError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ostinato.jobs.settings import Settings
from ostinato.jobs.tracing import tracing
from ostinato.resolvers.audit import CLIENT_ADDRESS
from ostinato.resolvers.auth import Viewer
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.encoding import EncodedResult, InvalidJson, decode_json, encode_json
from ostinato.schema.execution.operation_request import (
    InvalidParameters,
    OperationRequest,
    parse_parameters,
)
from ostinato.schema.execution.operation_runner import RETRY_AFTER_MS, Operation, OperationRunner
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from ostinato.schema.transports.authentication import Authentication
from ostinato.schema.transports.connections import (
    ConnectionClosing,
    ConnectionRegistry,
    address_of,
)
from ostinato.schema.transports.event_stream import (
    MultipartMixed,
    Results,
    ServerSentEvents,
    StreamedOperation,
    StreamFormat,
    StreamResponse,
    apply_last_event_id,
    failed_results,
)
from ostinato.schema.transports.graphql_ws import CloseCode
from ostinato.schema.transports.negotiation import (
    HOW_TO_SUBSCRIBE,
    MIN_COMPRESSED_BYTES,
    SINGLE_TYPES,
    AcceptedTypes,
    HttpError,
    MediaType,
    accepts_gzip,
    compress,
    negotiate,
    require_json,
)

HEADERS = {"cache-control": "no-store", "vary": "accept, accept-encoding, authorization, cookie"}
STREAM_FORMATS: Mapping[MediaType, StreamFormat] = {
    MediaType.EVENT_STREAM: ServerSentEvents(),
    MediaType.MULTIPART: MultipartMixed(),
}


class HTTPEndpoint:
    """The ASGI application for HTTP requests to `/graphql`."""

    def __init__(
        self,
        runner: OperationRunner,
        subscriptions: SubscriptionRunner,
        authentication: Authentication,
        connections: ConnectionRegistry,
        settings: Settings,
    ) -> None:
        self._runner = runner
        self._subscriptions = subscriptions
        self._authentication = authentication
        self._connections = connections
        self._settings = settings
        self._reader = RequestReader(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        try:
            await response(scope, receive, send)
        except ConnectionClosing as closing:
            await _rejected_connection_response(closing)(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        media_type = MediaType.JSON
        try:
            _require_method(request.method)
            accepted = negotiate(request.headers.get("accept"))
            media_type = accepted.single or media_type
            if (reason := self._authentication.rejection_reason(request)) is not None:
                raise _http_error(HTTPStatus.FORBIDDEN, Forbidden(reason), {})
            viewer = await self._viewer(request)
            if viewer is None and not self._settings.allows_introspection:
                raise self._sign_in_required()  # before anything is read or parsed
            client = request.client
            self._runner.admit(viewer, address_of(client))
            CLIENT_ADDRESS.set(client.host if client else "")
            return await self._execute(request, accepted, viewer)
        except HttpError as error:
            return _http_error_response(error, media_type)
        except TooManyRequests as error:
            return _too_many_response(error, media_type)
        except RequestRejected as rejected:
            return _error_response(_rejected_status(media_type), media_type, rejected.errors)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:
            errors = [format_exception(error)]
            return _error_response(HTTPStatus.INTERNAL_SERVER_ERROR, media_type, errors)

    async def _viewer(self, request: Request) -> Viewer | None:
        try:
            return await self._authentication.viewer(request)
        except Unauthorized as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise _http_error(HTTPStatus.UNAUTHORIZED, error, challenge) from None
        except Unavailable as error:
            raise _http_error(HTTPStatus.SERVICE_UNAVAILABLE, error, {"retry-after": "5"}) from None

    async def _execute(
        self, request: Request, accepted: AcceptedTypes, viewer: Viewer | None
    ) -> ASGIApp:
        parsed = await self._reader.read(request)
        try:
            operation = await self._runner.prepare(parsed, viewer)
            self._require_allowed(operation, request.method, accepted)
            if operation.kind is OperationType.SUBSCRIPTION:
                operation = apply_last_event_id(operation, request.headers.get("last-event-id"))
                return self._stream(
                    request, accepted, viewer, self._subscriptions.results(operation, viewer)
                )
        except RequestRejected as rejected:
            if accepted.single is not None:
                raise
            return self._stream(request, accepted, viewer, failed_results(rejected))
        if accepted.single is None:
            return self._stream(request, accepted, viewer, self._once(operation, viewer))
        with tracing.request(request.headers.get("traceparent")):
            body = await self._runner.run(operation, viewer)
        headers: dict[str, str] = {}
        if len(body) >= MIN_COMPRESSED_BYTES and accepts_gzip(
            request.headers.get("accept-encoding")
        ):
            body, headers = await compress(body), {"content-encoding": "gzip"}
        return _response(HTTPStatus.OK, accepted.single, body, headers)

    def _require_allowed(self, operation: Operation, method: str, accepted: AcceptedTypes) -> None:
        if operation.kind is OperationType.SUBSCRIPTION:
            if accepted.stream is None:
                message = f"{SINGLE_TYPES[0]} cannot carry a subscription: send {HOW_TO_SUBSCRIBE}"
                raise HttpError(HTTPStatus.NOT_ACCEPTABLE, message)
        elif method == "GET" and operation.kind is OperationType.MUTATION:
            raise _method_not_allowed("mutations require POST")
        elif method == "GET" and not self._settings.allows_get_queries:
            raise _method_not_allowed(
                "queries require POST: OSTINATO_GET_QUERIES on the server allows GET"
            )

    async def _once(self, operation: Operation, viewer: Viewer | None) -> Results:
        yield EncodedResult(await self._runner.run(operation, viewer))

    def _stream(
        self, request: Request, accepted: AcceptedTypes, viewer: Viewer | None, results: Results
    ) -> StreamResponse:
        if viewer is None:
            raise self._sign_in_required()
        streamed = StreamedOperation(
            format=STREAM_FORMATS[accepted.stream or MediaType.EVENT_STREAM],
            results=results,
            viewer=viewer,
            expired=self._authentication.expired,
            client=request.client,
        )
        return StreamResponse(streamed, self._connections, self._settings)

    def _sign_in_required(self) -> HttpError:
        error = self._authentication.required()
        return _http_error(HTTPStatus.UNAUTHORIZED, error, {"www-authenticate": "Bearer"})


def _require_method(method: str) -> None:
    if method not in {"GET", "POST"}:
        message = "method not allowed: use POST, or GET for queries"
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "GET, POST"})


def _method_not_allowed(message: str) -> HttpError:
    return HttpError(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})


def _rejected_connection_response(closing: ConnectionClosing) -> Response:
    if closing.code is not CloseCode.SERVICE_RESTART:
        return _too_many_response(TooManyRequests(closing.reason, RETRY_AFTER_MS))
    error = Unavailable(closing.reason)
    headers = {"retry-after": "1"}
    return _http_error_response(_http_error(HTTPStatus.SERVICE_UNAVAILABLE, error, headers))


def _too_many_response(error: TooManyRequests, media_type: MediaType = MediaType.JSON) -> Response:
    headers = {"retry-after": str(math.ceil(error.retry_after_ms / 1_000))}
    errors = [format_exception(error)]
    return _error_response(HTTPStatus.TOO_MANY_REQUESTS, media_type, errors, headers)


def _http_error(status: HTTPStatus, error: OstinatoError, headers: dict[str, str]) -> HttpError:
    return HttpError(status, str(error), code=error.code, headers=headers)


def _rejected_status(media_type: MediaType) -> HTTPStatus:
    # With application/json, clients treat any status but 200 as a transport failure.
    return HTTPStatus.OK if media_type is MediaType.JSON else HTTPStatus.BAD_REQUEST


def _http_error_response(error: HttpError, media_type: MediaType = MediaType.JSON) -> Response:
    return _error_response(error.status, media_type, error.errors, error.headers)


def _error_response(
    status: HTTPStatus,
    media_type: MediaType,
    errors: list[FormattedError],
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    return _response(status, media_type, encode_json({"errors": errors}), headers)


def _response(
    status: HTTPStatus,
    media_type: MediaType,
    body: bytes,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    content_type = f"{media_type}; charset=utf-8"
    return Response(body, status, {**HEADERS, **headers}, content_type)


JSON_PARAMETERS = ("variables", "extensions")


class RequestReader:
    """Reads requests; raises HttpError for malformed, oversized or slow requests."""

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
        has_more = True
        while has_more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            self._require_size(len(body))
            has_more = message.get("more_body", False)
        return bytes(body)

    def _require_size(self, size_bytes: int) -> None:
        if size_bytes > self._body_limit_bytes:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._body_limit_bytes} bytes: send a smaller "
                "request, or raise OSTINATO_BODY_LIMIT_BYTES on the server",
                code="PAYLOAD_TOO_LARGE",
                headers={"connection": "close"},
            )


def _query_parameters(request: Request) -> dict[str, object]:
    parameters: dict[str, object] = dict(request.query_params)
    for name in JSON_PARAMETERS:
        if text := request.query_params.get(name):
            parameters[name] = _decode(text, f"`{name}`")
        else:  # an empty parameter is treated as missing
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
