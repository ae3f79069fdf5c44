"""Names what `/metrics` tells, and says what each figure means.

No label names an owner, an object or a client: the number of series is bounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from ostinato.jobs.figures import Figures
from ostinato.jobs.hub import HubFacts
from ostinato.jobs.records import JobState
from ostinato.schema.transports.execution import OperationRunner
from ostinato.schema.transports.sockets import Sockets

Rows: TypeAlias = Iterable[tuple[Sequence[str], float]]
"""The values of the labels, and the figure."""


def of_answers(mongo: bool) -> Iterator[Metric]:
    yield _gauge("mongodb_answers", "1 if MongoDB answered this scrape, 0 if not.", mongo)


def of_installation(figures: Figures) -> Iterator[Metric]:
    """Tell what MongoDB knows: the same at every API process."""
    counts, force = figures.counts, figures.workforce
    states = (
        ((JobState.PENDING,), counts.pending),
        ((JobState.IN_PROGRESS,), counts.in_progress),
        ((JobState.FAILED,), counts.failed),
    )
    yield _gauges("jobs", "Ordinary jobs, each state counted up to 1000.", states, "state")
    yield _gauge(
        "oldest_due_job_seconds",
        "How long the oldest due job has waited, in queues that are not paused; 0 if none is due.",
        figures.oldest_due_s,
    )
    yield _gauge("workers", "Workers heard of within their lease.", force.workers)
    yield _gauge("worker_slots", "Jobs that those workers can run at once.", force.slots)
    yield _gauge("worker_slots_taken", "Slots that are taken.", force.running)
    yield _gauge(
        "worker_loop_lag_seconds",
        "How late the latest event loop of a worker was in the second before its heartbeat.",
        force.loop_lag_ms / 1_000,
    )


def of_hub(facts: HubFacts) -> Iterator[Metric]:
    """Tell of the process's one change stream, and of who listens to it."""
    yield _gauge("hub_following", "1 while the change stream is followed.", facts.following)
    yield _counter("hub_changes", "Changes followed.", facts.changes)
    yield _counters(
        "job_transitions",
        "States that ordinary jobs came into while this process followed: do not add processes up.",
        [((state,), count) for state, count in facts.job_transitions.items()],
        "state",
    )
    yield _counter(
        "hub_reopenings",
        "Times that the change stream was opened again: MongoDB failed over or went away.",
        facts.reopened,
    )
    yield _counter(
        "hub_invalidations",
        "Reopenings because a followed collection or the database was dropped.",
        facts.invalidated,
    )
    yield _counter(
        "hub_histories_lost",
        "Times that MongoDB no longer had what came next: its oplog is too small.",
        facts.histories_lost,
    )
    yield _counter("hub_resets", "Times that clients had to begin anew.", facts.resets)
    yield _counter(
        "hub_catch_up_streams",
        "Streams opened for clients that resume from before the ring.",
        facts.catch_ups,
    )
    yield _gauge("hub_ring_changes", "Changes at hand for clients that resume.", facts.ring)
    yield _gauge("hub_subscriptions", "Readers of changes: a group is one.", facts.subscriptions)
    yield _gauge("hub_watches", "Different things that are watched.", facts.groups)


def of_clients(runner: OperationRunner, sockets: Sockets) -> Iterator[Metric]:
    """Tell of what this process's clients do."""
    yield _counters(
        "graphql_operations",
        "Operations that ended, by the code of their first error or ok; slow subscriptions that "
        "were closed have SLOW_CONSUMER.",
        runner.tally.ended.items(),
        "kind",
        "outcome",
    )
    groups = tuple(runner.groups)
    yield _gauge("subscription_groups", "Groups of subscriptions told the same.", len(groups))
    yield _gauge(
        "subscription_members", "Subscriptions told by a group.", sum(len(each) for each in groups)
    )
    yield _counter(
        "subscription_results",
        "Results of subscriptions that were executed, each for all who are told the same.",
        runner.tally.results,
    )
    yield _gauge("sockets", "Open WebSockets and streams.", len(sockets))
    yield _counters(
        "websockets_closed",
        "WebSockets that ended, by the code sent, or client where the client left.",
        [((code,), count) for code, count in sockets.closed.items()],
        "code",
    )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ostinato_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"ostinato_{name}", meaning, value=value)


def _gauges(name: str, meaning: str, rows: Rows, *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"ostinato_{name}", meaning, labels=labels), rows)


def _counters(name: str, meaning: str, rows: Rows, *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"ostinato_{name}", meaning, labels=labels), rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for values, figure in rows:
        family.add_metric(values, figure)
    return family
