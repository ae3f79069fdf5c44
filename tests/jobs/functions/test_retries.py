"""`actions.retryableAction`: HTTP calls, retries after 1, 2 and 4 s, and the logged failure."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, Forbidden
from ostinato.jobs.functions.actions import HttpCall, call_addresses, make_call
from ostinato.jobs.records import JobState, Progress
from ostinato.jobs.settings import Settings
from tests.jobs.functions.flaky_api import FlakyApi, serving_flaky_api
from tests.jobs.functions.pattern_rig import SECOND, PatternRig, running_rig

CALL = "actions.retryableAction"
SPELLINGS = (
    *("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::]", "127.0.0.2"),
    "0.0.0.0",  # noqa: S104  # nothing is bound to it
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433", "0x7f000001", "127.1"),
    socket.gethostname(),
)
"""Names and addresses of this machine."""
CLOCK_LAG = timedelta(milliseconds=500)
"""A worker's clock may be behind MongoDB's, by the duration of the request that read it."""


@pytest.fixture
def api() -> Iterator[FlakyApi]:
    """Return an HTTP API that fails on demand."""
    with serving_flaky_api() as api:
        yield api


@pytest.fixture
async def caller(pattern_settings: Settings, api: FlakyApi) -> AsyncIterator[PatternRig]:
    """Return an installation that may call the API."""
    hosts = (api.host, f"localhost:{api.port}", "localhost:9", "example.invalid")
    allowed = {"allowed_hosts_http": hosts}
    async with running_rig(pattern_settings.model_copy(update=allowed)) as rig:
        yield rig


async def call_and_wait(rig: PatternRig, data: dict[str, Any], **args: int) -> None:
    await rig.schedule(CALL, {"data": data, **args})
    await rig.wait_until_settled()
    for _ in range(8):
        await rig.advance(SECOND)


async def test_a_call_that_succeeds_is_made_once(caller: PatternRig, api: FlakyApi) -> None:
    await call_and_wait(caller, {"url": api.url, "method": "POST", "json": {"a": 1}})
    [job] = await caller.jobs(CALL)
    assert api.calls == [("POST", "/hook?x=1", b'{"a":1}')]
    assert job.result == {"status": 200, "body": '{"ok": true}'}


async def test_the_first_address_that_answers_is_used(api: FlakyApi) -> None:
    call = HttpCall(url=f"http://api.example:{api.port}/hook")
    answer = await call_addresses(["127.0.0.9", "127.0.0.1"], call)
    assert answer == {"status": 200, "body": '{"ok": true}'}
    assert api.names == [f"api.example:{api.port}"]


async def test_a_host_receives_its_name_in_the_host_header(
    caller: PatternRig, api: FlakyApi
) -> None:
    await call_and_wait(caller, {"url": f"http://localhost:{api.port}/hook", "method": "POST"})
    assert api.names == [f"localhost:{api.port}"]


async def test_a_failing_call_is_retried_after_1_2_and_4_seconds(
    caller: PatternRig, api: FlakyApi
) -> None:
    api.failures = 100
    await call_and_wait(caller, {"url": api.url})
    jobs = await caller.jobs(CALL)
    assert len(api.calls) == 4
    assert [job.args["attempts"] for job in jobs] == [0, 1, 2, 3]
    for (job, retry), seconds in zip(pairwise(jobs), (1, 2, 4), strict=True):
        assert job.started_at
        assert job.completed_at
        failed_at = retry.scheduled_time - timedelta(seconds=seconds)
        assert job.started_at - CLOCK_LAG <= failed_at <= job.completed_at
    assert {job.state for job in jobs} == {JobState.SUCCESS}


async def test_the_last_failure_is_logged_with_the_error_and_the_data(
    caller: PatternRig, api: FlakyApi
) -> None:
    api.failures = 100
    await call_and_wait(caller, {"url": api.url})
    [failure] = await caller.all("failures")
    assert (failure["owner"], failure["functionName"], failure["attempts"]) == ("alice", CALL, 4)
    assert "HTTP 503" in failure["error"]["message"]
    assert failure["data"]["url"] == api.url


async def test_a_recorded_failure_contains_the_job_that_recorded_it(
    caller: PatternRig, api: FlakyApi
) -> None:
    api.failures = 100
    await call_and_wait(caller, {"url": api.url}, maxAttempts=1)
    [_, last] = await caller.jobs(CALL)
    [failure] = await caller.all("failures")
    assert (failure["recordedById"], failure.get("jobId")) == (last.id, None)


async def test_the_progress_of_a_failed_call_says_what_follows(
    caller: PatternRig, api: FlakyApi
) -> None:
    api.failures = 2
    await call_and_wait(caller, {"url": api.url}, maxAttempts=2)
    *failed, last = [job.progress for job in await caller.jobs(CALL)]
    error = "CallFailed: HTTP 503 Service Unavailable"
    assert failed == [
        Progress(done=1, total=3, message=f"called again after 1 s: {error}"),
        Progress(done=2, total=3, message=f"called again after 2 s: {error}"),
    ]
    assert last is None


async def test_a_call_that_succeeds_on_retry_is_not_repeated(
    caller: PatternRig, api: FlakyApi
) -> None:
    api.failures = 2
    await call_and_wait(caller, {"url": api.url})
    assert len(api.calls) == 3
    assert await caller.all("failures") == []


async def test_max_attempts_is_the_number_of_retries(caller: PatternRig, api: FlakyApi) -> None:
    api.failures = 100
    await call_and_wait(caller, {"url": api.url}, maxAttempts=0)
    assert len(api.calls) == 1
    assert len(await caller.all("failures")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest",
        "http://127.0.0.1/",
        "https://localhost/",
    ],
)
async def test_a_call_to_a_host_that_is_not_allowed_fails_at_once(
    caller: PatternRig, url: str
) -> None:
    await call_and_wait(caller, {"url": url})
    [job] = await caller.jobs(CALL)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.name == "Forbidden"


@pytest.mark.parametrize("host", SPELLINGS)
async def test_the_api_itself_is_never_called_even_if_its_address_is_allowed(
    settings: Settings, api: FlakyApi, host: str
) -> None:
    own = settings.model_copy(
        update={"allowed_hosts_http": (f"{host}:{api.port}",), "port": api.port}
    )
    with pytest.raises(Forbidden):
        await make_call(HttpCall(url=f"http://{host}:{api.port}/config.json"), own)
    assert api.calls == []


async def test_a_name_that_resolves_to_the_api_is_not_called(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(*_: object, **__: object) -> list[Any]:
        addresses = ("192.0.2.1", "::ffff:127.0.0.1")
        return [(None, None, None, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    own = settings.model_copy(update={"allowed_hosts_http": ("api.example",), "port": 80})
    with pytest.raises(Forbidden, match="is the API"):
        await make_call(HttpCall(url="http://api.example/"), own)


async def test_error_for_a_call_to_the_api_itself_names_the_settings(settings: Settings) -> None:
    own = settings.model_copy(update={"allowed_hosts_http": ("localhost:8000",), "port": 8_000})
    with pytest.raises(Forbidden, match=r"localhost:8000 is the API.*OSTINATO_HOST.*_PORT"):
        await make_call(HttpCall(url="http://localhost:8000/"), own)


async def test_the_api_is_recognized_by_its_configured_host(settings: Settings) -> None:
    """The API can run on another machine than the worker."""
    own = settings.model_copy(
        update={"allowed_hosts_http": ("192.0.2.1:8000",), "host": "192.0.2.1", "port": 8_000}
    )
    with pytest.raises(Forbidden, match="is the API"):
        await make_call(HttpCall(url="http://192.0.2.1:8000/"), own)


async def test_another_port_of_the_apis_machine_can_be_called(
    settings: Settings, api: FlakyApi
) -> None:
    own = settings.model_copy(update={"allowed_hosts_http": (api.host,), "port": api.port + 1})
    assert await make_call(HttpCall(url=api.url), own) == {"status": 200, "body": '{"ok": true}'}


async def test_a_redirect_is_not_followed(caller: PatternRig, api: FlakyApi) -> None:
    await call_and_wait(caller, {"url": f"http://{api.host}/moved"}, maxAttempts=0)
    assert len(api.calls) == 1
    assert "HTTP 302" in (await caller.find_one("failures"))["error"]["message"]


async def test_a_response_that_is_too_large_is_a_failure(caller: PatternRig, api: FlakyApi) -> None:
    api.answer = b"x" * 70_000
    await call_and_wait(caller, {"url": api.url}, maxAttempts=0)
    assert "larger than" in (await caller.find_one("failures"))["error"]["message"]


@pytest.mark.parametrize("url", ["http://localhost:9/", "http://example.invalid/"])
async def test_a_host_that_does_not_answer_is_a_failure(caller: PatternRig, url: str) -> None:
    await call_and_wait(caller, {"url": url}, maxAttempts=0)
    assert len(await caller.all("failures")) == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"url": "ftp://example.com/"},
        {"url": "http://user@example.com/"},
        {"url": "http://example.com/", "method": "TRACE"},
        {"url": "http://example.com/", "headers": {}},
    ],
)
async def test_an_invalid_call_is_rejected_when_it_is_scheduled(
    rig_without_worker: PatternRig, data: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest) as raised:
        await rig_without_worker.schedule(CALL, {"data": data})
    assert raised.value.issues[0].path[:2] == ("args", "data")


async def test_clients_may_schedule_retryable_actions(rig_without_worker: PatternRig) -> None:
    assert rig_without_worker.engine.registry.resolve(CALL).callable_by([])
    assert not rig_without_worker.engine.registry.resolve("errors.logFailure").callable_by([])
