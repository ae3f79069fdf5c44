"""Formats the measurements of the live benchmark as the sections of RESULTS.md."""

from collections.abc import Sequence

from benchmarks.figures import NOTHING, Figures, ratio, table
from benchmarks.live_servers import NODE_WS, RAW, STRAWBERRY, YOGA
from benchmarks.measures import fan_out, following
from benchmarks.measures import quiet as quietly

PEERS = (RAW, STRAWBERRY, NODE_WS, YOGA)
FAN_OUT = (
    "A burst is about 50,000 deliveries of events that are published at once; Ostinato's are "
    "written to MongoDB, and that time counts. Then one event is published every 200 ms. Latency "
    "is from its publication (for Ostinato: just before the write) to its arrival. CPU time is "
    "that of the serving process only, all threads, without mongod, the writer and the clients."
)

FOLLOWED = (
    f"{following.CHANGES:,} jobs are claimed as workers claim them while the follower is stopped. "
    "Then it continues and reads that history as fast as it can. CPU time is that of the following "
    "process only, all threads; memory is what it then holds, for our API with a full history of "
    "50,000 changes."
)


def sockets(results: Sequence[fan_out.Result]) -> str:
    return f"## One event to many sockets\n\n{FAN_OUT}\n\n" + _table(results, "sockets")


def topics(results: Sequence[fan_out.Result]) -> str:
    return (
        "## The same sockets over distinct filters\n\n"
        "Each filter has the same number of sockets, and each event matches one filter.\n\n"
        + _table(results, "topics")
    )


def followed(results: Sequence[following.Result]) -> str:
    rows = [
        [
            result.name,
            _figures(result.rates) if result.rates else f"could not run: {result.problem}",
            _figures(result.change_us),
            _figures(result.mib),
        ]
        for result in results
    ]
    return f"## How fast changes are followed\n\n{FOLLOWED}\n\n" + table(
        ["", "changes/s", "us per change", "MiB"], rows
    )


def quiet(result: quietly.Result) -> str:
    head = ["", "p50 ms", "p99 ms"]
    if not result.p50_ms:
        return f"## From a write to a socket\n\nCould not run: {result.problem}"
    row = ["one socket, a write every 53 ms", _figures(result.p50_ms), _figures(result.p99_ms)]
    return "## From a write to a socket\n\n" + table(head, [row])


def _table(results: Sequence[fan_out.Result], size: str) -> str:
    return table(_head(size), [_row(result, results, size) for result in results])


def _head(size: str) -> list[str]:
    return [
        *(size, "server", "deliveries/s in a burst", *(f"vs {name}" for name in PEERS)),
        *("us per delivery, burst", "us, one by one", "p50 ms", "p99 ms", "KiB per socket"),
    ]


def _row(result: fan_out.Result, results: Sequence[fan_out.Result], size: str) -> list[str]:
    opening = [f"{getattr(result, size):,}", result.name]
    if not result.rates:
        return [*opening, f"could not run: {result.problem}", *[NOTHING] * (len(_head(size)) - 3)]
    rate = Figures(tuple(result.rates))
    return [
        *opening,
        str(rate) + (f" (a round failed: {result.problem})" * bool(result.problem)),
        *(ratio(rate.median, _rate_of(name, result, results)) for name in PEERS),
        *(_figures(values) for values in (result.burst_us, result.paced_us)),
        *(_figures(values) for values in (result.p50_ms, result.p99_ms)),
        _figures(result.socket_kib),
    ]


def _rate_of(name: str, other: fan_out.Result, results: Sequence[fan_out.Result]) -> float:
    for candidate in results:
        if (candidate.name, candidate.sockets, candidate.topics) == (
            name,
            other.sockets,
            other.topics,
        ):
            return Figures(tuple(candidate.rates)).median if candidate.rates else 0.0
    return 0.0


def _figures(values: Sequence[float]) -> str:
    return str(Figures(tuple(values))) if values else NOTHING
