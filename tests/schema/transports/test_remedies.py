"""Messages about rejections name the fix, and reveal no secrets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ostinato.jobs.arq_queue.connection import connect as connect_redis
from ostinato.jobs.arq_queue.consumer import Consumer
from ostinato.jobs.arq_queue.notifier import Notifier
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.mongo.diagnostics import startup_problem
from ostinato.resolvers.auth import TokenVerifier, issue_token
from tests.conftest import Servers
from tests.engine.rig import AllFree
from tests.processes import eventually
from tests.schema.conftest import Running, make_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOREIGN = {"origin": "https://other.example"}
UNSEEN = {"origin": "https://unseen.example"}
"""An origin that no other test uses: each is logged once a minute."""


async def test_rejected_socket_of_another_site_names_the_setting(running: Running) -> None:
    url = f"ws://127.0.0.1:{running.port}/graphql"
    with capture_logs() as logs, pytest.raises(InvalidStatus) as rejected:
        async with connect(url, additional_headers=UNSEEN, proxy=None):
            pass
    expected = (rejected.value.response.body or b"").decode()
    assert rejected.value.response.status_code == 403
    assert "'https://unseen.example' may not call this API" in expected
    assert "OSTINATO_ALLOWED_ORIGINS" in expected
    assert [line["fix"] for line in logs] == ["add it to OSTINATO_ALLOWED_ORIGINS"]


async def test_rejected_preflight_of_another_site_names_the_setting(
    running: Running,
) -> None:
    headers = {**FOREIGN, "access-control-request-method": "POST"}
    async with running.client() as client:
        answer = await client.options("/graphql", headers=headers)
    assert answer.status_code == 400
    assert "OSTINATO_ALLOWED_ORIGINS" in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"jwt_audience": "them"}, "OSTINATO_JWT_AUDIENCE"),
        ({"jwt_issuer": "them"}, "OSTINATO_JWT_ISSUER"),
        (
            {"jwt_secret": "another-secret-of-48-bytes-0123456789abcdefghij"},
            "not signed with the API",
        ),
    ],
)
async def test_error_for_a_rejected_token_has_the_reason(
    changes: dict[str, Any], expected: str
) -> None:
    token = issue_token(
        make_settings(**changes | {"jwt_audience": "us", "jwt_issuer": "us"}), "ada"
    )
    settings = {"jwt_audience": "us", "jwt_issuer": "us"}
    settings |= {name: value for name, value in changes.items() if name != "jwt_secret"}
    with pytest.raises(Exception, match=expected):
        await TokenVerifier(make_settings(**settings)).viewer(token)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[None]:
    """Run the two connections of a worker to Redis."""

    async def take(*_: object) -> bool:
        return False

    redis = connect_redis(url, "queue")
    consumer = Consumer(lambda: connect_redis(url, "q"), take, AllFree(), lambda: None)
    notifier = Notifier(redis, "x").listen(lambda _: None)
    tasks = [asyncio.create_task(consumer.run()), asyncio.create_task(notifier)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await redis.aclose(close_connection_pool=True)


async def test_log_about_unreachable_redis_names_the_setting() -> None:
    with capture_logs() as logs:
        async with listening(f"redis://:a-secret@127.0.0.1:{free_port()}/0"):
            both = {"queue.lost", "notifier.lost"}
            await eventually(lambda: both <= {line["event"] for line in logs})
    assert {line["fix"] for line in logs} == {"start the server or correct OSTINATO_REDIS_URL"}
    assert "a-secret" not in str(logs)


async def test_rejected_mongodb_login_is_not_reported_as_an_outage(servers: Servers) -> None:
    reason = str(await startup_problem(servers.mongo_url_for("ada", "a-secret"), "x"))
    assert "MongoDB rejected the connection (Authentication failed" in reason
    assert "`authSource` in OSTINATO_MONGO_URL" in reason
    assert "a-secret" not in reason
