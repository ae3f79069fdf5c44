"""The metrics of `/metrics`.

Labels never contain an owner, object or client, so the number of series is bounded: at most
MAX_FUNCTIONS functions have their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import Metric
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.utils import floatToGoString

from ostinato.jobs.changefeed import ChangeFeedStats
from ostinato.jobs.cluster_stats import ClusterStats
from ostinato.jobs.function_counters import BOUNDS_S, FunctionCounts, Histogram
from ostinato.jobs.records import JobState
from ostinato.schema.execution.operation_metrics import OperationMetrics
from ostinato.schema.fanout.broadcast_registry import BroadcastRegistry
from ostinato.schema.transports.connections import ConnectionRegistry

Rows: TypeAlias = Iterable[tuple[Sequence[str], float]]
"""Label values, and the value of the series."""


def mongodb_metrics(mongo: bool) -> Iterator[Metric]:
    yield _gauge("mongodb_answers", "1 if MongoDB responded during this scrape, else 0.", mongo)


def cluster_metrics(cluster_stats: ClusterStats) -> Iterator[Metric]:
    """Yield the cluster metrics, read from MongoDB; the same for every API process."""
    counts, workers = cluster_stats.counts, cluster_stats.workers
    states = (
        ((JobState.PENDING,), counts.pending),
        ((JobState.IN_PROGRESS,), counts.in_progress),
        ((JobState.FAILED,), counts.failed),
    )
    yield _gauges(
        "jobs", "Jobs by state, without internal jobs, each state capped at 1000.", states, "state"
    )
    yield _gauge(
        "oldest_due_job_seconds",
        "Waiting time of the oldest due job in queues that are not paused; 0 if none is due.",
        cluster_stats.oldest_due_wait_s,
    )
    yield _gauge("workers", "Workers with a valid lease.", workers.workers)
    yield _gauge("worker_slots", "Jobs that the workers can run concurrently.", workers.slots)
    yield _gauge("worker_slots_taken", "Slots in use.", workers.running)
    yield _gauge(
        "worker_loop_lag_seconds",
        "Largest event loop lag of a worker in the second before its heartbeat.",
        workers.loop_lag_ms / 1_000,
    )


def alert_metrics(cluster_stats: ClusterStats) -> Iterator[Metric]:
    """Yield the number of alerts by kind; the same for every API process."""
    rows = [((kind,), count) for kind, count in cluster_stats.alerts.items()]
    yield _gauges("alerts", "Unresolved alerts by kind.", rows, "kind")


def function_metrics(functions: Mapping[str, FunctionCounts]) -> Iterator[Metric]:
    """Yield the metrics of each function, counted by all workers; the same for every process."""
    counted = functions.items()
    yield _counters(
        "function_runs",
        "Attempts that have ended.",
        [((label,), each.run_time.counts.total()) for label, each in counted],
        "function",
    )
    yield _counters(
        "function_failures",
        "Jobs that failed and are not retried.",
        [((label,), each.failures) for label, each in counted],
        "function",
    )
    yield _counters(
        "function_retries",
        "Failed attempts that are retried.",
        [((label,), each.retries) for label, each in counted],
        "function",
    )
    yield _histograms(
        "function_run_seconds",
        "Duration of attempts.",
        [(label, each.run_time) for label, each in counted],
    )
    yield _histograms(
        "function_lateness_seconds",
        "Time from the due time to the start of attempts.",
        [(label, each.lateness) for label, each in counted],
    )


def change_feed_metrics(stats: ChangeFeedStats) -> Iterator[Metric]:
    """Yield the metrics of this process's change stream and its subscribers."""
    yield _gauge("hub_following", "1 while the change stream is connected.", stats.following)
    yield _counter("hub_changes", "Changes received.", stats.changes)
    yield _counters(
        "job_transitions",
        "State transitions of jobs, without internal jobs, as seen by this process. Every process "
        "sees all of them: do not sum over processes.",
        [((state,), count) for state, count in stats.job_transitions.items()],
        "state",
    )
    yield _counter(
        "hub_reopenings",
        "Reconnections of the change stream after a failover or outage of MongoDB.",
        stats.reopened,
    )
    yield _counter(
        "hub_invalidations",
        "Reconnections because a watched collection or the database was dropped.",
        stats.invalidated,
    )
    yield _counter(
        "hub_histories_lost",
        "Times that MongoDB's oplog was too small to resume the change stream.",
        stats.histories_lost,
    )
    yield _counter("hub_resets", "Times that the history in memory was dropped.", stats.resets)
    yield _counter(
        "hub_catch_up_streams",
        "Change streams opened for clients that resume from before the buffered changes.",
        stats.replays,
    )
    yield _gauge("hub_ring_changes", "Changes buffered for clients that resume.", stats.ring)
    yield _gauge(
        "hub_subscriptions",
        "Readers of the change feed. A broadcast is one.",
        stats.subscriptions,
    )
    yield _gauge("hub_watches", "Distinct filters of the readers.", stats.filters)


def client_metrics(
    operations: OperationMetrics, broadcasts: BroadcastRegistry, connections: ConnectionRegistry
) -> Iterator[Metric]:
    """Yield the metrics of this process's clients."""
    yield _counters(
        "graphql_operations",
        "Completed operations by kind and by the code of their first error, or ok. SLOW_CONSUMER "
        "is a subscription that was closed because its client was too slow.",
        operations.ended.items(),
        "kind",
        "outcome",
    )
    groups = tuple(broadcasts)
    yield _gauge("subscription_groups", "Broadcasts: groups of equal subscriptions.", len(groups))
    yield _gauge(
        "subscription_members", "Subscribers of the broadcasts.", sum(len(each) for each in groups)
    )
    yield _counter(
        "subscription_results",
        "Executed subscription results. Equal subscriptions share one result.",
        operations.results,
    )
    yield _gauge("sockets", "Open WebSockets and streams.", len(connections))
    yield _counters(
        "websockets_closed",
        "Closed WebSockets by close code, or client if the client disconnected.",
        [((code,), count) for code, count in connections.closed.items()],
        "code",
    )


def _histograms(name: str, documentation: str, rows: Iterable[tuple[str, Histogram]]) -> Metric:
    family = HistogramMetricFamily(f"ostinato_{name}", documentation, labels=["function"])
    bounds = [*map(floatToGoString, BOUNDS_S), "+Inf"]
    for label, histogram in rows:
        counts = accumulate(histogram.counts[position] for position in range(len(bounds)))
        family.add_metric([label], list(zip(bounds, counts, strict=True)), histogram.sum_s)
    return family


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ostinato_{name}", documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(f"ostinato_{name}", documentation, value=value)


def _gauges(name: str, documentation: str, rows: Rows, *labels: str) -> Metric:
    return _with_rows(GaugeMetricFamily(f"ostinato_{name}", documentation, labels=labels), rows)


def _counters(name: str, documentation: str, rows: Rows, *labels: str) -> Metric:
    return _with_rows(CounterMetricFamily(f"ostinato_{name}", documentation, labels=labels), rows)


def _with_rows(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family
