"""Traces with OpenTelemetry: from a mutation through its jobs to their children."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ostinato.jobs.mongo.claimed_jobs import ClaimedJob
from ostinato.jobs.outcome import Outcome

if TYPE_CHECKING:
    from ostinato.jobs.tracing import RecordErrors, RecordOutcome  # it imports this module

HEADER: Final = "traceparent"
MUTATION: Final = "mutation"
TRACEPARENT_CHARS: Final = 55
NO_TRACE: Final = context.Context()
NOTHING: Final = nullcontext()
UNRECORDED_ATTEMPT: Final[AbstractContextManager["RecordOutcome"]] = nullcontext(
    lambda _outcome: None
)
NOT_RECORDED: Final[AbstractContextManager["RecordErrors"]] = nullcontext(lambda _errors: None)

_propagator = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Records spans with the tracer provider that the application has set.

    Implements Tracing.
    """

    def __init__(self) -> None:
        self.tracer = trace.get_tracer("ostinato")

    def current_traceparent(self) -> str | None:
        if not trace.get_current_span().get_span_context().is_valid:
            return None
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get(HEADER)

    def request(self, traceparent: str | None) -> AbstractContextManager[None]:
        return NOTHING if traceparent is None else self._continued(traceparent)

    @contextmanager
    def _continued(self, traceparent: str) -> Iterator[None]:
        if trace.get_current_span().get_span_context().is_valid:
            yield  # an instrumentation of the server has continued the trace
            return
        token = context.attach(_context_of(traceparent))
        try:
            yield
        finally:
            context.detach(token)

    def operation(self, kind: str, name: str | None) -> AbstractContextManager["RecordErrors"]:
        if kind != MUTATION or not self._is_recording:
            return NOT_RECORDED
        return self._mutation(kind, name)

    @property
    def _is_recording(self) -> bool:
        """Return whether the application has set a tracer provider."""
        if not isinstance(self.tracer, trace.ProxyTracer):
            return True
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    @contextmanager
    def _mutation(self, kind: str, name: str | None) -> Iterator["RecordErrors"]:
        title = f"{kind} {name}" if name else kind
        with self.tracer.start_as_current_span(title, kind=SpanKind.SERVER) as span:

            def record(errors: int) -> None:
                if errors:
                    span.set_status(Status(StatusCode.ERROR, f"{errors} errors"))

            yield record

    def attempt(self, job: ClaimedJob) -> AbstractContextManager["RecordOutcome"]:
        return self._attempt(job) if self._is_recording else UNRECORDED_ATTEMPT

    @contextmanager
    def _attempt(self, job: ClaimedJob) -> Iterator["RecordOutcome"]:
        attributes: dict[str, str | int] = {
            "ostinato.function": job.function_name,
            "ostinato.job.id": job.id,
            "ostinato.attempt": job.attempt,
        }
        with self.tracer.start_as_current_span(
            job.function_name, _context_of(job.traceparent), SpanKind.CONSUMER, attributes
        ) as span:

            def record(outcome: Outcome | None) -> None:
                if outcome is not None:
                    span.set_attribute("ostinato.transition", outcome.transition.value)
                if outcome is not None and outcome.error is not None:
                    _record_error(span, outcome.error)

            yield record


def _record_error(span: trace.Span, error: dict[str, str | None]) -> None:
    name, message = error["name"] or "", error["message"] or ""
    span.set_status(Status(StatusCode.ERROR, f"{name}: {message}"))
    attributes = {"exception.type": name, "exception.message": message}
    attributes["exception.stacktrace"] = error.get("traceback") or ""
    span.add_event("exception", attributes)


def _context_of(traceparent: object) -> context.Context:
    """Return the context of a stored or received `traceparent`; an empty one if it is invalid."""
    if type(traceparent) is not str or len(traceparent) != TRACEPARENT_CHARS:
        return NO_TRACE
    return _propagator.extract({HEADER: traceparent}, NO_TRACE)
