"""The twelve checks of graphql-cop, on an API in production.

The checks and what counts as a finding are those of https://github.com/dolevf/graphql-cop 1.15.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from ostinato.jobs.settings import Mode
from tests.audit.report import Tried
from tests.processes import TLS, ApiProcess, Processes

pytestmark = pytest.mark.audit("graphql-cop")

CIRCULAR: Final = "query { __schema { types { fields { type { fields { type { name } } } } } } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A request, and whether its response is a finding."""

    request: dict[str, Any]
    is_finding: Callable[[Any], bool]
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


def _post(query: str) -> dict[str, Any]:
    return {"json": {"query": query}}


def _get(query: str) -> dict[str, Any]:
    return {"params": {"query": query}}


def _has_data(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("data"))


def _mentions(*texts: str) -> Callable[[Any], bool]:
    return lambda body: any(text in str(body) for text in texts)


CHECKS: Final = {
    "field suggestions": Check(
        request=_post("query { __schema { directive } }"), is_finding=_mentions("Did you mean")
    ),
    "introspection": Check(
        request=_post("query { __schema { types { name fields { name } } } }"),
        is_finding=_has_data,
    ),
    "GraphiQL": Check(
        request={},
        method="GET",
        headers={"accept": "text/html"},
        is_finding=_mentions("graphiql.min.css", "GraphiQL", "graphql-playground", "Playground"),
    ),
    "queries with GET": Check(
        request=_get("query { __typename }"), method="GET", is_finding=_has_data
    ),
    "100 aliases": Check(
        request=_post("query { " + " ".join(f"a{n}: __typename" for n in range(101)) + " }"),
        is_finding=_has_data,
    ),
    "batches of operations": Check(
        request={"json": [{"query": "query { __typename }"}] * 10},
        is_finding=lambda body: isinstance(body, list) and len(body) >= 10,
    ),
    "tracing": Check(request=_post("query { __typename }"), is_finding=_mentions("tracing")),
    "ten directives on a field": Check(
        request=_post("query { __typename " + "@aa" * 10 + " }"),
        is_finding=lambda body: len(body["errors"]) == 10,
    ),
    "circular introspection": Check(request=_post(CIRCULAR), is_finding=_has_data),
    "mutations with GET": Check(
        request=_get("mutation { __typename }"), method="GET", is_finding=_has_data
    ),
    "url-encoded POST": Check(
        request={"data": {"query": "query { __typename }"}}, is_finding=_has_data
    ),
    "unhandled errors": Check(
        request=_post("qwerty cop { abc }"), is_finding=_mentions("exception", "Traceback")
    ),
}


@pytest.fixture
async def production_api(processes: Processes) -> ApiProcess:
    return await processes.api(mode=Mode.PRODUCTION)


async def test_graphql_cop_finds_nothing_in_production(
    production_api: ApiProcess, tried: Tried, subtests: pytest.Subtests
) -> None:
    token = {"authorization": f"Bearer {production_api.token()}"}
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
        for name, check in CHECKS.items():
            responses = [
                await _send(client, production_api, check, headers) for headers in ({}, token)
            ]
            with subtests.test(check=name):
                assert not any(check.is_finding(_body_of(response)) for response in responses)
            without, with_token = (response.status_code for response in responses)
            statuses = f"status {without} without a token, {with_token} with one"
            tried("graphql-cop", name, f"no finding; {statuses}")


async def _send(
    client: httpx.AsyncClient, api: ApiProcess, check: Check, headers: dict[str, str]
) -> httpx.Response:
    return await client.request(
        check.method, api.graphql_url, headers={**check.headers, **headers}, **check.request
    )


def _body_of(response: httpx.Response) -> Any:
    is_json = "json" in response.headers.get("content-type", "")
    return response.json() if is_json else response.text
