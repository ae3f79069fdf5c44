"""Generated operations and values through every transport: the server does not fail or leak."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest
from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    print_ast,
)
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode as Validity
from hypothesis_graphql import mutations, nodes, queries
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ostinato.jobs.ids import new_id
from ostinato.schema.errors import INTERNAL
from ostinato.schema.ids import global_id
from tests.api.conftest import FUNCTIONS
from tests.audit.report import Tried
from tests.audit.selections import selection_of
from tests.audit.test_owner_matrix import SCHEMA, root_fields
from tests.live.hostile import JSON, NUMBERS, SCALARS, TEXTS
from tests.processes import TLS, ApiProcess, Processes
from tests.schema.conftest import TRANSPORT_WS

pytestmark = pytest.mark.audit("schema fuzz")

EXAMPLES: Final = 60
FULL_EXAMPLES: Final = 2_000
MAX_GROWTH: Final = 1.15
QUIET_S: Final = 0.3
"""A subscription without a message within this time waits for changes."""
UNAUTHORIZED_CLOSE: Final = 4_403
EXPECTED_NULL: Final = {"PAYLOAD_TOO_LARGE", "TIMEOUT", "TOO_MANY_REQUESTS"}

Response: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Operation:
    """An operation to send."""

    kind: str
    query: str
    variables: dict[str, Any]
    """Empty for a generated document, whose values are in the document."""

    def __repr__(self) -> str:
        return f"{self.query} {self.variables}"[:5_000]


IDS: Final = st.builds(
    global_id, st.sampled_from(["Job", "Cron", "Batch", "Request", "User", ""]), st.builds(new_id)
)
TIMES: Final = st.one_of(st.datetimes().map(lambda when: f"{when.isoformat()}Z"), TEXTS)
DATES: Final = st.one_of(st.dates().map(str), TEXTS)
LENGTHS: Final = st.integers(-10, 2**53)
SCALAR_VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "ID": IDS | TEXTS,
    "String": TEXTS | st.sampled_from(["tasks.runTask", "default", "@daily", "* * * * *", "UTC"]),
    "Int": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 100),
    "Float": NUMBERS,
    "Boolean": st.booleans(),
    "JSON": JSON,
    "Date": DATES,
    "DateTime": TIMES,
    "Milliseconds": LENGTHS,
    "SafeInt": LENGTHS,
    "Cursor": TEXTS,
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return mostly valid values of an input type."""
    if isinstance(kind, GraphQLNonNull):
        valid = _non_null(kind.of_type)
    else:
        valid = st.none() | _non_null(kind)
    return st.one_of(*[valid] * 11, SCALARS)


def _non_null(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, GraphQLList):
        return st.lists(values_of(kind.of_type), max_size=4)
    if isinstance(kind, GraphQLEnumType):
        return st.sampled_from([*kind.values, "UNKNOWN"])
    if isinstance(kind, GraphQLInputObjectType):
        required = {
            name: values_of(found.type)
            for name, found in kind.fields.items()
            if isinstance(found.type, GraphQLNonNull)
        }
        optional = {
            name: values_of(found.type)
            for name, found in kind.fields.items()
            if name not in required
        }
        return st.fixed_dictionaries(required, optional=optional)
    return SCALAR_VALUES[kind.name]


def _with_variables(name: str) -> st.SearchStrategy[Operation]:
    """Return calls of one root field with generated variables."""
    type_name, _, field_name = name.partition(".")
    root, kind = root_fields()[name], type_name.lower()
    declared = ", ".join(f"${arg}: {found.type}" for arg, found in root.args.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in root.args)
    query = (
        f"{kind}{f'({declared})' if root.args else ''} {{ "
        f"{field_name}{f'({passed})' if root.args else ''} {selection_of(SCHEMA, root, 2)} }}"
    )
    arguments = {arg: values_of(found.type) for arg, found in root.args.items()}
    return st.builds(Operation, st.just(kind), st.just(query), st.fixed_dictionaries(arguments))


def _documents() -> st.SearchStrategy[Operation]:
    """Return generated documents, valid ones and ones with a violation of the schema."""
    scalars: dict[str, st.SearchStrategy[Any]] = {
        "JSON": st.integers().map(nodes.Int) | TEXTS.map(nodes.String),
        "Date": DATES.map(nodes.String),
        "DateTime": TIMES.map(nodes.String),
        "Milliseconds": LENGTHS.map(nodes.Int),
        "SafeInt": LENGTHS.map(nodes.Int),
        "Cursor": TEXTS.map(nodes.String),
    }
    subscriptions = GraphQLSchema(query=SCHEMA.subscription_type)
    names = list((SCHEMA.subscription_type or pytest.fail("no subscriptions")).fields)
    generated = [
        st.builds(Operation, st.just(kind), documents, st.just({}))
        for validity in Validity
        for kind, documents in (
            ("query", queries(SCHEMA, custom_scalars=scalars, mode=validity)),
            ("mutation", mutations(SCHEMA, custom_scalars=scalars, mode=validity)),
            *(
                ("subscription", _subscriptions(subscriptions, name, scalars, validity))
                for name in names
            ),
        )
    ]
    return st.one_of(generated)


def _subscriptions(
    schema: GraphQLSchema, name: str, scalars: dict[str, Any], validity: Validity
) -> st.SearchStrategy[str]:
    def subscription(document: DocumentNode) -> str:
        (definition,) = document.definitions
        assert isinstance(definition, OperationDefinitionNode)
        changed = replace(definition, operation=OperationType.SUBSCRIPTION)
        return print_ast(replace(document, definitions=(changed,)))

    return queries(
        schema, fields=[name], custom_scalars=scalars, mode=validity, print_ast=subscription
    )


OPERATIONS: Final = st.one_of(st.deferred(_documents), *map(_with_variables, root_fields()))


class Fuzzer:
    """Sends operations through every transport, and checks each response."""

    def __init__(self, api: ApiProcess) -> None:
        self._api = api
        self._client = httpx.Client(timeout=60, verify=TLS)
        self.sent = self.executed = 0

    def close(self) -> None:
        self._client.close()

    def send(self, operation: Operation, transport: str, roles: tuple[str, ...] | None) -> None:
        self.sent += 1
        token = None if roles is None else self._api.token("ann", *roles)
        for response in TRANSPORTS[transport](self, operation, token):
            self._check(response)

    def _check(self, response: Response) -> None:
        codes = {error.get("extensions", {}).get("code") for error in response.get("errors", ())}
        assert INTERNAL not in codes, response
        assert None not in codes, response
        if "data" in response:
            self.executed += 1
            assert response["data"] is not None or codes & EXPECTED_NULL, response

    def post(self, operation: Operation, token: str | None) -> Iterator[Response]:
        return self._over_http(operation, token, "application/json")

    def sse(self, operation: Operation, token: str | None) -> Iterator[Response]:
        return self._over_http(operation, token, "text/event-stream")

    def multipart(self, operation: Operation, token: str | None) -> Iterator[Response]:
        return self._over_http(operation, token, "multipart/mixed")

    def get(self, operation: Operation, token: str | None) -> Iterator[Response]:
        parameters = {"query": operation.query, "variables": json.dumps(operation.variables)}
        url = httpx.URL(self._api.graphql_url, params=parameters)
        if len(str(url)) > 60_000:  # uvicorn's limit of a request line is 64 KiB
            return
        with self._client.stream("GET", url, headers=_headers(token)) as response:
            yield from self._responses(response)

    def _over_http(
        self, operation: Operation, token: str | None, accept: str
    ) -> Iterator[Response]:
        body = {"query": operation.query, "variables": operation.variables}
        headers = _headers(token) | {"accept": accept}
        is_subscription = operation.kind == "subscription"
        timeout = httpx.Timeout(60, read=QUIET_S if is_subscription else 60)
        try:
            with self._client.stream(
                "POST", self._api.graphql_url, json=body, headers=headers, timeout=timeout
            ) as response:
                yield from self._responses(response)
        except httpx.ReadTimeout:
            if not is_subscription:
                raise

    def _responses(self, response: httpx.Response) -> Iterator[Response]:
        """Yield the response, or the first ones of a stream."""
        assert response.status_code < 500, response.read()
        if "json" in response.headers.get("content-type", ""):
            yield json.loads(response.read())
            return
        for message in filter(None, map(_response_in, _lines_of(response))):
            yield message
            if _is_last(message):
                return

    def websocket(self, operation: Operation, token: str | None) -> Iterator[Response]:
        with connect(self._api.ws_url, subprotocols=[TRANSPORT_WS], proxy=None) as socket:
            try:
                yield from _over_socket(socket, operation, token)
            except ConnectionClosed:
                if token is not None or socket.close_code != UNAUTHORIZED_CLOSE:
                    raise


def _over_socket(
    socket: ClientConnection, operation: Operation, token: str | None
) -> Iterator[Response]:
    payload = {"query": operation.query, "variables": operation.variables}
    init = {"type": "connection_init", "payload": _headers(token)}
    socket.send(json.dumps(init))
    assert json.loads(socket.recv(60))["type"] == "connection_ack"
    socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
    with suppress(TimeoutError):
        while True:
            message = json.loads(socket.recv(QUIET_S if operation.kind == "subscription" else 60))
            if message["type"] == "next":
                yield message["payload"]
            elif message["type"] == "error":
                yield {"errors": message["payload"]}
            if message["type"] in ("error", "complete") or _is_last(message.get("payload", {})):
                return


def _lines_of(response: httpx.Response) -> Iterator[bytes]:
    """Yield the complete lines of a stream; httpx would also split at U+2028."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _response_in(line: bytes) -> Response | None:
    """Return the response in a line of a stream, None if it has none."""
    start = line.find(b"{")
    if start < 0:
        return None
    message: Response = json.loads(line[start:])
    return message.get("payload", message) or None


def _is_last(response: Response) -> bool:
    """Return whether nothing follows before a change."""
    return "errors" in response or "READY" in json.dumps(response)


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


TRANSPORTS: Final[dict[str, Callable[[Fuzzer, Operation, str | None], Iterator[Response]]]] = {
    "POST": Fuzzer.post,
    "GET": Fuzzer.get,
    "SSE": Fuzzer.sse,
    "multipart": Fuzzer.multipart,
    "WebSocket": Fuzzer.websocket,
}


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1_024


@pytest.fixture
async def fuzzed_api(processes: Processes) -> ApiProcess:
    return await processes.api(functions=(FUNCTIONS,))


def _fuzz(fuzzer: Fuzzer, examples: int) -> None:
    @hypothesis_settings(max_examples=examples, phases=[Phase.generate])
    @given(
        operation=OPERATIONS,
        transport=st.sampled_from(list(TRANSPORTS)),
        roles=st.sampled_from([(), (), (), ("admin",), ("admin",), None]),
    )
    def send(operation: Operation, transport: str, roles: tuple[str, ...] | None) -> None:
        fuzzer.send(operation, transport, roles)

    send()


def test_generated_operations_do_not_make_the_server_fail(
    fuzzed_api: ApiProcess, tried: Tried, is_full_audit: bool
) -> None:
    memory = []
    with closing(Fuzzer(fuzzed_api)) as fuzzer:
        for _half in range(2):
            _fuzz(fuzzer, FULL_EXAMPLES if is_full_audit else EXAMPLES)
            memory.append(_resident_mib(fuzzed_api.child.popen.pid))
    tried(
        "schema fuzz",
        f"{fuzzer.sent:,} operations through {', '.join(TRANSPORTS)}",
        f"no server error in {fuzzer.executed:,} responses with data; memory after each half: "
        f"{memory[0]:.0f} and {memory[1]:.0f} MiB",
    )
    assert fuzzer.executed > fuzzer.sent / 40  # most generated values are invalid
    assert not is_full_audit or memory[1] <= memory[0] * MAX_GROWTH
