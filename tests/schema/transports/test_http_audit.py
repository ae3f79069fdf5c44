"""The GraphQL over HTTP specification, as the graphql-http package audits it."""

import pytest

from tests.audit.report import Tried
from tests.schema.conftest import Running
from tests.schema.nodejs import install_clients, node

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.audit("graphql-http")]

AUDITS = 61


async def test_every_audit_of_graphql_over_http_passes(running: Running, tried: Tried) -> None:
    install_clients()
    results = []
    async with node("audit.mjs", f"{running.url}/graphql") as script:
        while (result := await script.line()) is not None:
            results.append(result)
    passed = sum(result["status"] == "ok" for result in results)
    tried("graphql-http", f"{AUDITS} audits of GraphQL over HTTP", f"{passed} passed")
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
