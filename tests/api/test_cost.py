"""What one request can cost the others: how long it keeps the event loop busy, and its size.

The unit of time is a page of 100 jobs with 12 fields, executed by Strawberry alone: about 10 ms,
measured in the same run. No rejected request may block the event loop for much longer than that,
and no accepted request for more than six times as long.
"""

import asyncio
import gc
import threading
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from ostinato.jobs.engine import Engine
from ostinato.resolvers import crons
from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.audit.report import Tried
from tests.malformed import JOB, valid_document

pytestmark = pytest.mark.audit("cost of an operation")

ANN = Viewer(id="ann")
FIELDS = "id version functionName state scheduledTime createdAt startedAt completedAt queue"
PAGE = f"{{ jobs(first: 100) {{ nodes {{ {FIELDS} priority attempt maxAttempts }} }} }}"
EVENT_FIELDS = "seq at from state attempt workerId nextRunAt error { name message }"
MAX_ACCEPTED_UNITS = 6
MAX_REJECTED_UNITS = 2
MAX_MUTATION_UNITS = 4  # 8,000 names of arguments are read before they are rejected
ABUSE = (
    "abuse (longest stretch of the event loop, in pages of 100 jobs: "
    f"under {MAX_REJECTED_UNITS} if rejected, {MAX_ACCEPTED_UNITS} if accepted)"
)
RARE = "0 0 */28 2 1#5"


def _aliased(count: int, field: str) -> str:
    return "{" + " ".join(f"a{n}: {field.replace('%', str(n))}" for n in range(count)) + "}"


def _per_row(count: int, root: str, field: str) -> str:
    return f"{{ {root}(first: 100) {{ nodes {_aliased(count, field)} }} }}"


def _fragments(count: int) -> str:
    return "{ viewer { id } } " + " ".join(f"fragment F{n} on Job {{ id }}" for n in range(count))


REJECTED = {
    "ticks of rare dates": _aliased(49, f'previewCron(input: {{cronspec: "{RARE}", count: 100}})'),
    "ticks of many crons": "{ crons(first: 100) { nodes { nextRuns(count: 100) } } }",
    "arguments of many jobs": _aliased(49, "jobs(first: 100) { nodes { args } }"),
    "timelines of many jobs": _aliased(15, "jobs(first: 100) { nodes { timeline { seq at } } }"),
    "unused fragments": _fragments(700),
    "a list of 4,900 tokens": "{ job(id: [" + "1 " * 4_900 + "]) { id } }",
    "many misspelled fields": "{ jobs { nodes {"
    + " ".join(f"scheduledTim{n}" for n in range(900))
    + "} } }",
    "many misspelled arguments": _aliased(49, "jobs(firs%: 1) { nodes { id } }"),
    "many unknown types": "query("
    + " ".join(f"$a{n}: Jobb{n}" for n in range(600))
    + ") { viewer { id } }",
    "many operations": " ".join(f"query Q{n} {{ viewer {{ id }} }}" for n in range(600)),
    "too many tokens": "{" + "a " * 6_000 + "}",
    "rows of many jobs": _aliased(49, "jobs(first: 100) { __typename }"),
    "repeated fields with arguments": "{ viewer { " + "id(a: 1) " * 138 + "} }",
    "empty pages of many jobs": _per_row(39, "jobs", "children(first: 0) { __typename }"),
    "no ticks of many crons": _per_row(49, "crons", "nextRuns(count: 0)"),
    "rows of many runs": "{ crons(first: 100) { nodes { runs(first: 100) { __typename } } } }",
}
ACCEPTED = {
    "ticks of rare dates": _aliased(
        4, 'previewCron(input: {cronspec: "% 0 */28 2 1#5", count: 100})'
    ),
    "ticks of many crons": "{ crons(first: 100) { nodes { nextRuns(count: 5) } } }",
    "unknown time zones": _aliased(
        9, 'previewCron(input: {cronspec: "@daily", tz: "Europe/Berlim%"})'
    ),
    "events of long timelines": "{ jobs(first: 2, orderBy: OLDEST) { nodes { timeline { "
    f"{EVENT_FIELDS} }} }} }} }}",
    "more events than are allowed": "{ jobs(first: 13, orderBy: OLDEST) { nodes { timeline { "
    f"{EVENT_FIELDS} }} }} }} }}",
    "timelines over the limit, many times": _per_row(12, "jobs", "timeline { __typename }"),
    "many fields of many jobs": _per_row(49, "jobs", "scheduledTime"),
    "warnings of many jobs": _per_row(12, "jobs", "warnings { __typename }"),
    "children of many jobs": _per_row(19, "jobs", "children(first: 1) { __typename }"),
    "schemas of functions": _aliased(15, "functions { name description argsSchema }"),
    "cronspecs of dates that do not exist": "mutation "
    + _aliased(
        49,
        'registerCron(input: {name: "x", cronspec: "% 0 31 2,4,6,9,11 *"}) { cron { id } }',
    ),
    "previews of dates that do not exist": _aliased(
        15, 'previewCron(input: {cronspec: "% 1 31 2,4,6,9,11 *", count: 1})'
    ),
    "many names of functions": "mutation "
    + _aliased(49, 'scheduleJob(input: {functionName: "functions.ech%"}) { job { id } }'),
    "introspection": "{ __schema { types { name fields { name args { name } type { name } } } } }",
}


class Turns:
    """Measures the turns of an event loop, with a callback in each of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.longest_s = 0.0
        self._loop = loop
        self._last = time.thread_time()
        self.handle = loop.call_soon(self._measure)

    def _measure(self) -> None:
        now = time.thread_time()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now
        self.handle = self._loop.call_soon(self._measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Measures how long operations block the event loop."""

    runner: OperationRunner
    strawberry: Client
    """Executes documents without Ostinato's own executors."""

    async def response(self, sent: str | OperationRequest, viewer: Viewer | None = ANN) -> Any:
        """Return the decoded response, or the errors of a rejected operation."""
        request = OperationRequest(query=sent) if isinstance(sent, str) else sent
        try:
            operation = await self.runner.prepare(request)
            return orjson.loads(await self.runner.run(operation, viewer))
        except RequestRejected as rejected:
            return rejected.errors

    async def longest_s(self, *requests: str | OperationRequest) -> float:
        """Return the most processor time that the event loop spent between two of its turns.

        Each of the concurrent requests is sent by another user.
        """
        turns = Turns(asyncio.get_running_loop())
        gc.disable()
        viewers = [ANN, *(Viewer(id=f"user {number}") for number in range(1, len(requests)))]
        try:
            await asyncio.gather(*map(self.response, requests, viewers))
        finally:
            gc.enable()
            turns.handle.cancel()
        return turns.longest_s

    async def page_s(self) -> float:
        """Return the processor time of a page of jobs, in all its turns together."""
        started = time.thread_time()
        await self.strawberry.get(PAGE)
        return time.thread_time() - started

    async def units(self, *requests: str | OperationRequest) -> float:
        """Return the longest time in which nothing else ran, in pages of jobs."""
        return await self.longest_s(*requests) / min([await self.page_s() for _ in range(5)])


@pytest.fixture
async def meter(engine: Engine, runner: OperationRunner, ann: Client) -> Meter:
    event = JOB["timeline"][0]
    timeline = [event | {"seq": seq} for seq in range(1, 512)]
    schedule = {"kind": "cron", "cronspec": RARE, "tz": "Europe/Berlin"}
    await engine.mongo["jobs"].insert_many(
        valid_document("jobs", "ann") | {"timeline": timeline[: 512 if number < 20 else 3]}
        for number in range(100)
    )
    await engine.mongo["crons"].insert_many(
        valid_document("crons", "ann") | {"name": f"cron {number}", "schedule": schedule}
        for number in range(100)
    )
    return Meter(runner=runner, strawberry=ann)


@pytest.mark.parametrize("name", REJECTED)
async def test_rejected_operation_does_not_block_the_event_loop(
    meter: Meter, tried: Tried, name: str
) -> None:
    (error,) = (await meter.response(REJECTED[name]))[:1]
    assert error["extensions"]["code"] in {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
    units = await meter.units(REJECTED[name])
    tried(ABUSE, f"{name} ({len(REJECTED[name]):,} bytes)", f"rejected, {units:.2f}")
    assert units < MAX_REJECTED_UNITS


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepted_operation_does_not_block_the_event_loop(
    meter: Meter, tried: Tried, name: str
) -> None:
    units = await meter.units(ACCEPTED[name])
    tried(ABUSE, f"{name} ({len(ACCEPTED[name]):,} bytes)", f"accepted, {units:.2f}")
    assert units < MAX_ACCEPTED_UNITS
    assert "data" in await meter.response(ACCEPTED[name])


def _scheduling(times: int, function: str, args: dict[str, Any]) -> OperationRequest:
    field = f'scheduleJob(input: {{functionName: "functions.{function}", args: $args}}) {{ jobId }}'
    query = f"mutation($args: JSON!) {_aliased(times, field)}"
    return OperationRequest(query=query, variables={"args": args})


UNKNOWN = dict.fromkeys((f"k{number}" for number in range(6_000)), 1)
CONCURRENT: dict[str, list[str | OperationRequest]] = {
    "unknown arguments": [_scheduling(1, "greet", UNKNOWN)],
    "unknown arguments, four times": [_scheduling(4, "greet", UNKNOWN)],
    "mutations that fail": [
        "mutation " + _aliased(49, 'deleteCron(input: {cronId: "x%"}) { cronId }')
    ]
    * 16,
}


@pytest.mark.parametrize("name", CONCURRENT)
async def test_mutations_do_not_block_the_event_loop(meter: Meter, tried: Tried, name: str) -> None:
    units = await meter.units(*CONCURRENT[name])
    tried(ABUSE, f"{name} ({len(CONCURRENT[name])} documents)", f"{units:.2f}")
    assert units < MAX_MUTATION_UNITS


async def test_calls_with_large_arguments_take_turns(meter: Meter, tried: Tried) -> None:
    large = _scheduling(1, "acceptAny", {"value": [1] * 32_000})
    alone = max([await meter.longest_s(large) for _ in range(3)])
    together = await meter.longest_s(*[large] * 90)
    tried(ABUSE, "90 calls with arguments of 64 KiB", f"{together / alone:.2f} times one call")
    assert together < 3 * alone


async def test_timelines_are_charged_by_their_length(meter: Meter) -> None:
    response = await meter.response(
        "{ jobs(first: 100) { nodes { timeline { seq } } } viewer { id } }"
    )
    (error,) = response["errors"]
    assert error["extensions"]["code"] == "PAYLOAD_TOO_LARGE"
    assert error["path"][0] == "jobs"
    assert response["data"] == {"jobs": None, "viewer": {"id": "ann"}}


async def test_time_of_the_thread_for_ticks_is_limited(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crons, "MAX_TICK_S", 0.05)
    rare = _aliased(7, 'previewCron(input: {cronspec: "% 0 */28 2 1#5", count: 100})')
    started, loop_started = time.process_time(), time.thread_time()
    response = await meter.response(rare)
    took = time.process_time() - started - (time.thread_time() - loop_started)
    assert took < 1
    assert response["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"
    assert "request fewer ticks" in response["errors"][0]["message"]


async def test_response_over_the_limit_is_replaced_by_an_error(
    meter: Meter, documents: Documents
) -> None:
    for _ in range(50):
        await documents.job(result="x" * 250_000)
    response = await meter.response("{ jobs(first: 50) { nodes { result } } }")
    assert response["data"] is None
    assert response["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"
    assert "the limit is 10485760" in response["errors"][0]["message"]
    assert len((await meter.response("{ jobs(first: 10) { nodes { result } } }"))["data"]) == 1


async def test_operations_of_a_user_at_once_are_limited(meter: Meter) -> None:
    query, limit = "{ viewer { id } jobs { nodes { id } } }", meter.runner.max_running
    of_ann = [meter.response(query) for _ in range(limit + 5)]
    responses = await asyncio.gather(*of_ann, meter.response(query, Viewer(id="bob")))
    rejected = [response for response in responses if isinstance(response, list)]
    assert len(rejected) == 5
    assert rejected[0][0]["extensions"] == {"code": "TOO_MANY_REQUESTS", "retryAfterMs": 1_000}
    assert responses[-1]["data"]["viewer"] == {"id": "bob"}
    assert "data" in await meter.response("{ viewer { id } }")


async def test_variables_that_the_operation_does_not_declare_are_dropped(meter: Meter) -> None:
    query = "subscription($id: ID!) { jobChanged(jobId: $id) { cursor } }"
    variables = {"id": "x", "unused": "x" * 250_000}
    operation = await meter.runner.prepare(OperationRequest(query=query, variables=variables))
    assert operation.request.variables == {"id": "x"}


ALIASED_JOBS = " ".join(
    f"a{number}: job {{ id state queue version attempt priority owner functionName }}"
    for number in range(49)
)
SUBSCRIPTIONS = {
    "many fields": f"subscription {{ jobsChanged {{ kind {ALIASED_JOBS} }} }}",
    "a long list": "subscription { jobsChanged(filter: {states: ["
    + "PENDING " * 4_900
    + "]}) { kind } }",
}


class Fingerprints(dict[Any, Any]):
    """Records the threads that computed fingerprints."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()

    def __setitem__(self, key: object, value: object) -> None:
        self.threads.add(threading.current_thread().name.rpartition("_")[0])
        super().__setitem__(key, value)


@pytest.mark.parametrize("query", SUBSCRIPTIONS.values(), ids=SUBSCRIPTIONS.keys())
async def test_fingerprint_of_a_large_subscription_is_computed_in_the_thread(
    meter: Meter, query: str
) -> None:
    operation = await meter.runner.prepare(OperationRequest(query=query))
    fingerprints, subscriptions = Fingerprints(), SubscriptionRunner(meter.runner, 100)
    prepared = replace(operation.prepared, fingerprints=fingerprints)
    async with aclosing(
        subscriptions.results(replace(operation, prepared=prepared), ANN)
    ) as results:
        assert b"READY" in (await anext(results)).payload
    await subscriptions.aclose()
    assert fingerprints.threads == {"cpu"}
