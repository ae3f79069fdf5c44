"""Property tests: hostile values are returned unchanged by every field and transport."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.settings import Settings
from ostinato.schema.server.app import create_app
from tests.engine.rig import run_worker
from tests.live.hostile import BSON, COUNTS, JSON, NAMES, NO_JSON, TEXTS
from tests.live.serving import served
from tests.live.transports import JOB, Caller, Document
from tests.processes import eventually

SCHEDULE = "mutation($input: ScheduleJobInput!) { scheduleJob(input: $input) { jobId } }"
FUNCTIONS = ("echo_functions.echo", "echo_functions.echoAndStore", "echo_functions.fail")
WRITE = """mutation($request: CreateWithTimeoutInput!, $cron: RegisterCronInput!,
    $task: StartRecurringTaskInput!, $items: AddItemsInput!, $batch: StartBatchInput!) {
  createWithTimeout(input: $request) { request { data } }
  registerCron(input: $cron) { cron { name args } }
  startRecurringTask(input: $task) { recurringTask { taskId args } }
  addItems(input: $items) { added }
  startBatch(input: $batch) { batchId }
}"""
READ = f"""{{ jobs(first: 100) {{ nodes {{ functionName cause {{ kind }} {JOB} }} }}
  requests {{ nodes {{ state data result }} }} crons {{ nodes {{ name args }} }}
  recurringTasks {{ nodes {{ taskId args }} }}
  failures {{ nodes {{ data error {{ message }} }} }} }}"""
EXAMPLES = hypothesis_settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
)


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"functions": ("tests.live.echo_functions",)})


@pytest.fixture
async def port(live_settings: Settings, engine: Engine) -> AsyncIterator[int]:
    """Run the API and a worker; return the port of the API."""
    async with run_worker(live_settings), served(create_app(live_settings), live_settings) as port:
        yield port


@dataclass(frozen=True, slots=True)
class Sent:
    value: Any
    text: str
    count: int
    name: str

    @property
    def args(self) -> Document:
        return {"value": self.value, "text": self.text, "count": self.count}

    @property
    def data(self) -> list[Any]:
        return [self.value]


class SendingUser:
    """A user who sends one value with every operation."""

    def __init__(self, caller: Caller, client: httpx.AsyncClient) -> None:
        self.caller, self.client = caller, client

    async def send(self, sent: Sent) -> None:
        for function in FUNCTIONS:
            key = f"{sent.name}{function}"
            input_ = {"functionName": function, "args": sent.args, "key": key}
            first = await self.caller.execute(self.client, SCHEDULE, input=input_)
            assert await self.caller.execute(self.client, SCHEDULE, input=input_) == first
        hourly = {"intervalMs": 3_600_000, "functionName": "echo_functions.echo", "args": sent.args}
        await self.caller.execute(
            self.client,
            WRITE,
            request={"data": sent.data},
            cron={"name": sent.name, **hourly},
            task={"taskId": sent.name, **hourly},
            items={"items": [sent.data]},
            batch={"source": "echoItems", "delayMs": 0},
        )

    async def read(self) -> Document:
        """Wait until the jobs and requests have ended, and return all objects."""

        async def settled() -> Document | None:
            found = await self.caller.execute(self.client, READ)
            jobs = [job["state"] for job in found["jobs"]["nodes"]]
            requests = [request["state"] for request in found["requests"]["nodes"]]
            is_over = sorted(jobs) == ["FAILED"] + ["SUCCESS"] * 4 and requests == ["COMPLETED"]
            return found if is_over else None

        found = await eventually(settled, within=30)
        assert found is not None
        return {name: connection["nodes"] for name, connection in found.items()}


@asynccontextmanager
async def _user(port: int, settings: Settings) -> AsyncIterator[SendingUser]:
    caller = Caller(settings=settings, port=port, name=new_id())
    async with caller.client() as client:
        yield SendingUser(caller, client)


@EXAMPLES
@given(sent=st.builds(Sent, JSON, TEXTS, COUNTS, NAMES))
async def test_json_values_round_trip_through_every_transport(
    port: int, live_settings: Settings, sent: Sent
) -> None:
    async with _user(port, live_settings) as user, user.caller.watching() as views:
        await user.send(sent)
        read = await user.read()
        stored = {job["id"]: _as_received(job) for job in read["jobs"]}
        for view in views.values():
            await view.wait_until_equal(stored)
    for job in read.pop("jobs"):
        _check(job, sent)
    assert repr(read) == repr(_expected(sent))


def _expected(sent: Sent) -> Document:
    """Return the expected objects other than jobs."""
    return {
        "requests": [{"state": "COMPLETED", "data": sent.data, "result": sent.data}],
        "crons": [{"name": sent.name, "args": sent.args}],
        "recurringTasks": [{"taskId": sent.name, "args": sent.args}],
        "failures": [{"data": sent.args, "error": {"message": sent.text}}],
    }


def _as_received(job: Document) -> Document:
    return {name: value for name, value in job.items() if name not in ("functionName", "cause")}


def _check(job: Document, sent: Sent) -> None:
    progress = {"done": sent.count, "total": sent.count, "message": sent.text}
    value: Any = sent.value
    if job["cause"]["kind"] == "JOB":  # scheduled by the batch, one per item
        value, progress = sent.data, {"done": 0, "total": 0, "message": ""}
    assert repr(job["args"]["value"]) == repr(value)
    if job["functionName"] == "echo_functions.fail":
        assert job["error"] == {"message": sent.text}
    else:
        assert repr((job["result"], job["progress"])) == repr((value, progress))


@EXAMPLES
@given(notes=st.lists(BSON, min_size=1, max_size=5), bad=NO_JSON)
async def test_driver_types_are_returned_as_json_or_fail_only_their_job(
    port: int,
    live_settings: Settings,
    engine: Engine,
    notes: list[tuple[Any, Any]],
    bad: Any,
) -> None:
    stored = [*(note for note, _ in notes), bad]
    rows = [{"_id": new_id(), "value": value} for value in stored]
    await engine.mongo["notes"].insert_many(rows)
    async with _user(port, live_settings) as user:
        received = await _outcomes(user, [row["_id"] for row in rows])
    assert received.pop()[0] == "FAILED"
    assert repr(received) == repr([("SUCCESS", expected) for _, expected in notes])


async def _outcomes(user: SendingUser, notes: list[str]) -> list[tuple[str, Any]]:
    """Run a function that reads each note; return its states and results."""
    for note in notes:
        input_ = {"functionName": "echo_functions.readNote", "args": {"note": note}}
        await user.caller.execute(user.client, SCHEDULE, input=input_)

    async def ended() -> list[Document]:
        found = (await user.caller.execute(user.client, READ))["jobs"]["nodes"]
        ended_jobs = [job for job in found if job["state"] in ("SUCCESS", "FAILED")]
        return ended_jobs if len(ended_jobs) == len(notes) else []

    by_note = {job["args"]["note"]: job for job in await eventually(ended, within=30)}
    return [(by_note[note]["state"], by_note[note]["result"]) for note in notes]
