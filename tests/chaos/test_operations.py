"""The chaos client logs each response as ok, failed or unknown, and never guesses."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from benchmarks.chaos.calls import Api
from benchmarks.chaos.cron_load import KINDS as CRON_CALLS
from benchmarks.chaos.cron_load import CronPlan
from benchmarks.chaos.operations import (
    AcknowledgedJobs,
    Answer,
    Kind,
    OperationLog,
    Outcome,
    Request,
    read,
)
from benchmarks.chaos.plan import MAX_PAUSE_S, Plan
from ostinato.jobs.embedded.process import free_port

ENTER = Request(Kind.SCHEDULE, {"functionName": "ledger.enter", "args": {"mark": "m"}})
JOB_ID = "Sm9iOjAxYTIwYTVlNmIwZmY2NmUyMTlhYmNmYw"
DOCUMENT_ID = "01a20a5e6b0ff66e219abcfc"
CANCEL = Request(Kind.CANCEL, {"jobId": DOCUMENT_ID})
OK = Answer(Outcome.OK, {"scheduled": "j1"})


def responding_with(**body: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, json=body)


async def logged_outcomes(
    respond: Callable[[httpx.Request], httpx.Response], *requests: Request
) -> list[str]:
    transport = httpx.MockTransport(respond)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return [answer.outcome for answer in await Api(client, "token").call(requests)]


def error(code: str, *path: str) -> dict[str, Any]:
    return {"message": code, "path": list(path), "extensions": {"code": code}}


async def test_each_call_of_a_document_has_its_own_answer() -> None:
    errors = [error("CONFLICT", "a1"), error("UNAVAILABLE", "a2"), error("TIMEOUT", "a3")]
    respond = responding_with(data={"a0": {"jobId": JOB_ID}, "a1": None}, errors=errors)
    assert await logged_outcomes(respond, *[ENTER] * 4) == ["ok", "failed", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errors": [{"message": "", "extensions": {"code": "UNAUTHORIZED"}}]}, "failed"),
        ({"errors": [{"message": "", "extensions": {"code": "UNAVAILABLE"}}]}, "unknown"),
        ({"data": {"a0": None}, "errors": [error("INTERNAL_SERVER_ERROR", "a0")]}, "unknown"),
        ({"data": {"a0": None}}, "unknown"),
    ],
)
async def test_response_without_data_is_classified_by_its_error_code(
    body: dict[str, Any], expected: str
) -> None:
    assert await logged_outcomes(responding_with(**body), ENTER) == [expected]


async def test_response_that_is_not_graphql_is_unknown() -> None:
    assert await logged_outcomes(lambda _: httpx.Response(502, text="Bad Gateway"), ENTER) == [
        "unknown"
    ]


async def test_unsent_call_has_failed_and_interrupted_call_is_unknown() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    found = []
    async with server:
        for port in (free_port(), server.sockets[0].getsockname()[1]):
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                found += await Api(client, "token").call([ENTER])
    assert [answer.outcome for answer in found] == [Outcome.FAILED, Outcome.UNKNOWN]


async def test_ids_are_logged_in_the_form_of_the_database() -> None:
    sent: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content)["variables"])
        canceled = {"jobId": JOB_ID, "job": {"state": "CANCELED"}}
        return httpx.Response(200, json={"data": {"a0": {"jobId": JOB_ID}, "a1": canceled}})

    transport = httpx.MockTransport(respond)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answers = await Api(client, "token").call([ENTER, CANCEL])
    assert [answer.value for answer in answers] == [
        {"scheduled": DOCUMENT_ID},
        {"state": "CANCELED"},
    ]
    assert sent == [{"a0": ENTER.input, "a1": {"jobId": JOB_ID}}]


def test_call_without_an_answer_in_the_log_is_unknown(tmp_path: Path) -> None:
    log = OperationLog(tmp_path / "log")
    log.end(log.invoke(ENTER), OK)
    log.invoke(CANCEL)
    log.close()
    done, cut_off = read((tmp_path / "log").read_text().splitlines())
    assert (done.request, done.answer, done.is_ok) == (ENTER, OK, True)
    assert (cut_off.request, cut_off.answer.outcome) == (CANCEL, Outcome.UNKNOWN)


def test_growing_log_counts_each_complete_line_once(tmp_path: Path) -> None:
    acknowledged = AcknowledgedJobs(tmp_path / "log")
    assert acknowledged.count() == 0
    log = OperationLog(tmp_path / "log")
    log.end(log.invoke(ENTER), OK)
    log.end(log.invoke(ENTER), OK)  # the same job again: its key was repeated
    log.end(log.invoke(ENTER), Answer(Outcome.UNKNOWN, {}))
    assert acknowledged.count() == 1
    with (tmp_path / "log").open("a") as file:
        file.write('{"op": 4, "type": "ok", "value": {"sched')
        file.flush()
        assert acknowledged.count() == 1
        file.write('uled": "j2"}}\n')
    log.close()
    assert acknowledged.count() == 2


def test_same_seed_makes_the_same_calls_with_new_marks() -> None:
    plan, same_plan = Plan("0", Random(1)), Plan("0", Random(1))
    requests = [request for _ in range(50) for request in plan.next(0)]
    assert requests == [request for _ in range(50) for request in same_plan.next(0)]
    scheduled = [request for request in requests if request.kind is Kind.SCHEDULE]
    marks = [str(request.input["args"]) for request in scheduled]
    assert len(set(marks)) == len(marks)


def test_calls_for_a_cron_are_of_every_kind_and_only_safe_ones_are_repeated() -> None:
    plan, now = CronPlan("c1", Random(1)), datetime(2030, 1, 1, tzinfo=UTC)
    requests = [plan.next(now) for _ in range(200)]
    assert {request.kind for request in requests} == set(CRON_CALLS)
    for request in requests:
        plan.on_answer(request, Answer(Outcome.UNKNOWN, {}))
        is_repeated = plan.next(now) == request
        assert is_repeated or request.kind not in (Kind.TRIGGER_CRON, Kind.APPLY_CRONS)
    keys = [str(one.input["key"]) for one in requests if one.kind is Kind.TRIGGER_CRON]
    assert len(set(keys)) == len(keys)


def test_calls_of_jobs_are_of_every_kind() -> None:
    plan, ok = Plan("0", Random(1)), Answer(Outcome.OK, {"scheduled": "j"})
    kinds = set()
    for now in range(200):
        for request in plan.next(now):
            plan.on_answer(request, ok, now)
            kinds.add(request.kind)
    of_crons = {*CRON_CALLS, Kind.REGISTER_CRON}
    assert kinds == set(Kind) - of_crons


def test_only_calls_with_a_key_are_repeated_until_answered() -> None:
    plan, unknown = Plan("0", Random(1)), Answer(Outcome.UNKNOWN, {})
    keyed = Request(Kind.SCHEDULE, {**ENTER.input, "key": "k"})
    plan.on_answer(ENTER, unknown, now=0)
    plan.on_answer(keyed, unknown, now=0)
    later = [request for _ in range(9) for request in plan.next(MAX_PAUSE_S)]
    assert (later.count(keyed), later.count(ENTER)) == (1, 0)
