"""One trace leads from a mutation through its job to the jobs that it schedules."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.records import Cause, CauseKind
from ostinato.jobs.tracing import tracing
from tests.engine.rig import Rig
from tests.jobs.test_failure_hooks import fail_unstarted, hook_jobs
from tests.live.scraping import scraped

SCHEDULE = """mutation {
  scheduleJob(input: {functionName: "functions.echoInMutation", args: {value: 1}}) { jobId }
}"""
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
WITHOUT_THE_EXTRA = """import sys
sys.modules["opentelemetry"] = None
from ostinato.jobs.tracing import NoTracing, tracing
import ostinato.jobs.worker.main, ostinato.schema.server.app
assert type(tracing) is NoTracing
assert tracing.current_traceparent() is None
assert [name for name in sys.modules if name.startswith("opentelemetry.")] == []
"""


class Spans:
    """The ended spans of this process."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Return the spans that this process records; the others of the process record none."""
    spans = Spans()
    monkeypatch.setattr(tracing, "tracer", spans.provider.get_tracer("tests"))
    yield spans
    spans.provider.shutdown()


def trace_id(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}" if span.context else ""


def is_child(child: ReadableSpan, parent: ReadableSpan) -> bool:
    assert child.parent is not None
    assert parent.context is not None
    return bool(child.parent.span_id == parent.context.span_id)


async def test_one_trace_leads_from_a_request_to_the_children_of_its_job(
    rig: Rig, spans: Spans
) -> None:
    async with (
        ChangeFeed(rig.engine.mongo, rig.engine.settings) as feed,
        scraped(rig.engine, feed) as scraper,
    ):
        await scraper.execute(SCHEDULE, headers={"traceparent": TRACEPARENT})
    names = ("functions.echoInMutation", "functions.echo")
    await rig.wait_until(lambda: all(map(spans.named, names)))
    (mutation,), (job,) = spans.named("mutation"), spans.named("functions.echoInMutation")
    (child,) = spans.named("functions.echo")
    assert {trace_id(span) for span in (mutation, job, child)} == {TRACE_ID}
    assert is_child(job, mutation)
    assert is_child(child, job)


async def test_attempts_are_siblings_and_errors_are_recorded(rig: Rig, spans: Spans) -> None:
    await rig.run("failWithHook", attempts=1)
    await rig.wait_until(lambda: len(spans.named("functions.failWithHook")) == 2)
    first, second = spans.named("functions.failWithHook")
    assert first.attributes is not None
    assert (first.status.status_code, first.status.description) == (
        StatusCode.ERROR,
        "ValueError: attempt 1",
    )
    assert [event.name for event in first.events] == ["exception"]
    assert first.attributes["ostinato.transition"] == "retry"
    assert second.status.status_code is not StatusCode.ERROR
    assert (first.parent, second.parent) == (None, None)


def test_mutations_are_recorded_with_their_errors_and_queries_are_not(spans: Spans) -> None:
    with tracing.operation("query", None), tracing.operation("mutation", "Pay") as record:
        record(2)
    (span,) = spans.exporter.get_finished_spans()
    assert (span.name, span.status.description) == ("mutation Pay", "2 errors")


def test_trace_of_an_instrumented_server_is_continued_instead_of_the_header(spans: Spans) -> None:
    server = spans.provider.get_tracer("server")
    with server.start_as_current_span("POST") as span, tracing.request(TRACEPARENT):
        current = tracing.current_traceparent()
    assert current is not None
    assert current.split("-")[1] == f"{span.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("stored", ["gone", 5, "0" * 55, TRACEPARENT * 1_000, {"$ne": 1}, None])
async def test_job_with_an_invalid_traceparent_starts_a_new_trace(
    rig_without_worker: Rig, spans: Spans, stored: object
) -> None:
    (claimed,) = await rig_without_worker.claim(await rig_without_worker.schedule("echo"))
    with tracing.attempt(claimed._replace(traceparent=stored)) as record:
        record(None)
    (span,) = spans.named("functions.echo")
    assert span.parent is None


async def test_jobs_of_crons_tasks_and_batches_start_new_traces(rig_without_worker: Rig) -> None:
    new = replace(await rig_without_worker.build_job("echo"), traceparent=TRACEPARENT)
    continued = {
        kind
        for kind in CauseKind
        if "traceparent"
        in build_job_document(replace(new, cause=Cause(kind=kind, id="a")), new.scheduled_time, 9)
    }
    kinds = (CauseKind.API, CauseKind.JOB, CauseKind.REQUEST, CauseKind.APPLICATION)
    assert continued == set(kinds)


async def test_hooks_of_a_failed_job_continue_its_trace(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    new = await rig.build_job("failWithHook", {"attempts": 9})
    job = await rig.engine.schedule(replace(new, traceparent=TRACEPARENT))
    await fail_unstarted(rig, job.id)
    (hook_job,) = await hook_jobs(rig)
    assert hook_job["traceparent"] == TRACEPARENT


async def test_job_scheduled_outside_a_trace_stores_none(rig_without_worker: Rig) -> None:
    job = await rig_without_worker.job(await rig_without_worker.schedule("echo"))
    assert "traceparent" not in job


def test_nothing_is_imported_without_the_extra() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_THE_EXTRA], check=True)
