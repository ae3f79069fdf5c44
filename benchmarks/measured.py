"""Converts the results of measurements to the figures of results.json."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from benchmarks.figures import percentile
from benchmarks.measures import (
    backlog,
    bulk,
    drain,
    fan_out,
    flood,
    following,
    idle,
    latency,
    mixed,
    profile,
    quiet,
    requests,
    rescue,
)
from benchmarks.results import Measured

RATE: Final = "jobs/s"
WORKER_MS: Final = "worker, ms per job"
SERVERS_MS: Final = "servers, ms per job"
ENQUEUED: Final = "enqueued, jobs/s"
P50_MS: Final = "p50, ms"
P99_MS: Final = "p99, ms"
REQUESTS: Final = "requests/s"
CPU_PERCENT: Final = "% of a core"
MIB: Final = "MiB"
REDIS_COMMANDS: Final = "Redis commands per chunk"
DELIVERIES: Final = "deliveries/s"
DELIVERY_US: Final = "us per delivery"
SOCKET_KIB: Final = "KiB per socket"
CHANGES: Final = "changes/s"
RERUN_S: Final = "s until all run again"
CLIENT_US: Final = "client, us per job"


def drained(results: Sequence[drain.Result]) -> Iterator[Measured]:
    for result in results:
        rounds = result.rounds
        yield from _figures(
            result.system.name,
            workers(result.workers),
            {
                RATE: [one.drained for one in rounds],
                WORKER_MS: [one.worker_ms for one in rounds],
                SERVERS_MS: [one.servers_ms for one in rounds],
                ENQUEUED: [one.enqueued for one in rounds],
            },
        )


def workers(count: int) -> str:
    return f"{count} workers" if count > 1 else "1 worker"


def late(results: Sequence[latency.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _latency(result.system.name, others(result.load), result.late_ms)


def others(load: int) -> str:
    return f"{load} others/s" if load else "quiet"


def flooded(results: Sequence[flood.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _latency("Ostinato", "flood" if result.flood else "quiet", result.late_ms)


def _latency(system: str, case: str, late_ms: Sequence[float]) -> Iterator[Measured]:
    found = {P50_MS: 50, P99_MS: 99}
    yield from _figures(
        system,
        case,
        {
            name: [percentile(late_ms, percent)] if late_ms else []
            for name, percent in found.items()
        },
    )


def scheduled(results: Sequence[bulk.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(
            result.system.name, "", {RATE: result.rates, CLIENT_US: result.client_us}
        )


def rescued(results: Sequence[rescue.Result]) -> Iterator[Measured]:
    for result in results:
        values = [max(result.waits_s)] if result.waits_s else []
        yield from _figures(result.system.name, "", {RERUN_S: values})


def mixed_with(results: Sequence[mixed.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(
            "Ostinato",
            "mixed" if result.mixed else "alone",
            {
                RATE: [one.rate for one in result.rounds],
                WORKER_MS: [one.worker_ms for one in result.rounds],
                SERVERS_MS: [one.servers_ms for one in result.rounds],
            },
        )


def planned(results: Sequence[backlog.Result]) -> Iterator[Measured]:
    for result in results:
        rates = [one.drained for one in result.rounds]
        yield from _figures("Ostinato", f"{result.planned:,} planned", {RATE: rates})


def answered(results: Sequence[requests.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(result.name, "", {REQUESTS: result.rates})


def idling(results: Sequence[idle.Idle]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(result.name, "", {CPU_PERCENT: [result.cpu_percent], MIB: [result.mib]})


def profiled(results: Sequence[profile.Result]) -> Iterator[Measured]:
    for result in results:
        if result.redis_per_chunk is not None:
            yield from _figures(result.system.name, "", {REDIS_COMMANDS: [result.redis_per_chunk]})


def delivered(results: Sequence[fan_out.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(
            result.name,
            sockets(result.sockets, result.topics),
            {
                DELIVERIES: result.rates,
                DELIVERY_US: result.burst_us,
                P50_MS: result.p50_ms,
                P99_MS: result.p99_ms,
                SOCKET_KIB: result.socket_kib,
            },
        )


def sockets(count: int, topics: int = 1) -> str:
    filters = f" over {topics:,} filters" if topics > 1 else ""
    return f"{count:,} sockets{filters}"


def quietly(result: quiet.Result) -> Iterator[Measured]:
    yield from _figures("Ostinato", "", {P50_MS: result.p50_ms, P99_MS: result.p99_ms})


def followed(results: Sequence[following.Result]) -> Iterator[Measured]:
    for result in results:
        yield from _figures(result.name, "", {CHANGES: result.rates})


def _figures(
    system: str, case: str, metrics: dict[str, Sequence[float]] | dict[str, list[float]]
) -> Iterable[Measured]:
    for metric, values in metrics.items():
        yield Measured(system=system, case=case, metric=metric, values=tuple(values))
