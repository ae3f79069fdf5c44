"""Formats the measurements as the sections of RESULTS.md."""

from collections.abc import Mapping, Sequence

from benchmarks.figures import NOTHING, Figures, percentile, ratio, short, table
from benchmarks.measures import backlog, drain, idle, latency, profile, requests
from benchmarks.systems import ARQ_TUNED, BULLMQ_FSYNCED, OURS, PGQUEUER


def about(command: str, rounds: int, machine: Mapping[str, str], used: Mapping[str, str]) -> str:
    facts = "; ".join(f"{name}: {value}" for name, value in machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in used.items())
    return (
        f"`{command}`, {rounds} round(s); the systems take turns. Figures are medians, with the "
        f"minimum and maximum of the rounds.\n\n- Machine: {facts}\n- Versions: {versions}"
    )


def drained(results: Sequence[drain.Result], jobs: int) -> str:
    head = [
        *("system", "workers", "jobs/s drained", "vs Ostinato", "vs arq tuned"),
        *("vs BullMQ fsynced", "vs PgQueuer", "jobs/s enqueued"),
        "CPU ms per job: worker + servers",
        "stored when done",
    ]
    return (
        f"## {jobs:,} no-op jobs, enqueued and drained\n\n"
        "From the start of the first job until none is left. Ostinato runs with an API process "
        "that follows every change (counted as a server).\n\n"
        + table(head, [_drain_row(result, results) for result in results])
    )


def _drain_row(result: drain.Result, results: Sequence[drain.Result]) -> list[str]:
    name, workers = result.system.name, str(result.workers)
    if not result.rounds:
        return [name, workers, f"could not run: {result.problem}", *[NOTHING] * 7]
    rate = _rate(result)
    servers = [round_.servers_ms for round_ in result.rounds]
    worker = Figures(tuple(round_.worker_ms for round_ in result.rounds))
    return [
        *(name, workers, str(rate)),
        *(
            ratio(rate.median, _rate_of(results, other.name))
            for other in (OURS, ARQ_TUNED, BULLMQ_FSYNCED, PGQUEUER)
        ),
        str(Figures(tuple(round_.enqueued for round_ in result.rounds))),
        f"{worker.median:.3f} + {Figures(tuple(servers)).median:.3f}",
        result.system.durable + (f" (a round failed: {result.problem})" * bool(result.problem)),
    ]


def _rate(result: drain.Result) -> Figures:
    return Figures(tuple(round_.drained for round_ in result.rounds))


def _rate_of(results: Sequence[drain.Result], name: str) -> float:
    """Return the rate of one worker, 0 if it could not run."""
    found = [result for result in results if result.system.name == name and result.workers == 1]
    return _rate(found[0]).median if found and found[0].rounds else 0.0


def late(results: Sequence[latency.Result]) -> str:
    rows = []
    for result in results:
        row = [result.system.name, f"{result.load} other jobs/s" if result.load else "none"]
        if result.late_ms:
            row += [short(result.percentile(percent)) for percent in (50, 99)]
            row += [short(max(result.late_ms)), str(len(result.late_ms))]
        else:
            row += [f"could not run: {result.problem}", NOTHING, NOTHING, "0"]
        rows.append(row)
    head = ["system", "other load", "p50, ms", "p99, ms", "max, ms", "jobs"]
    return (
        "## From due to started\n\nSingle jobs scheduled for random times, 10 per second. Not "
        "measured: SAQ, which schedules in whole seconds; Celery, which keeps scheduled jobs in "
        "its worker's memory; and Agenda, which polls every 100 ms here.\n\n" + table(head, rows)
    )


def planned(results: Sequence[backlog.Result]) -> str:
    head = ["scheduled", "jobs/s drained", "cost per job", "CPU, ms per job"]
    head += ["worker, MiB", "API, MiB", "ids in Redis", "bytes in Redis", "scheduled/s"]
    query_head = ["scheduled", "plan", "count in 5 s", "max keys", "max documents", "max ms"]
    smallest = Figures(tuple(round_.drained for round_ in results[0].rounds)).median
    rows = []
    for result in results:
        rate = Figures(tuple(round_.drained for round_ in result.rounds))
        cpu = [round_.worker_ms + round_.mongod_ms + round_.valkey_ms for round_ in result.rounds]
        rows.append(
            [
                *(f"{result.planned:,}", str(rate), ratio(smallest, rate.median)),
                f"{Figures(tuple(cpu)).median:.3f}",
                *(short(max(round_.worker_mib for round_ in result.rounds)),),
                *(short(max(round_.watch_mib for round_ in result.rounds)),),
                *(str(result.redis_queued), f"{result.redis_bytes:,}", short(result.planned_per_s)),
            ]
        )
    query_rows = [
        [
            *(f"{result.planned:,}", f"`{query.plan}`", str(query.times), str(query.max_keys)),
            *(str(query.max_documents), str(query.max_ms)),
        ]
        for result in results
        for query in result.queries
    ]
    return (
        "## Throughput with jobs scheduled for next week\n\n"
        f"{table(head, rows)}\n\nQueries of an idle worker on `jobs` meanwhile, from "
        f"MongoDB's profiler:\n\n{table(query_head, query_rows)}"
    )


def answered(results: Sequence[requests.Result]) -> str:
    rows = []
    ours = Figures(tuple(results[0].rates)).median if results[0].rates else 0.0
    for result in results:
        if result.rates:
            rate = Figures(tuple(result.rates))
            p50, p99 = (short(percentile(result.latencies_ms, percent)) for percent in (50, 99))
            rows.append([result.name, str(rate), ratio(ours, rate.median), p50, p99])
        else:
            rows.append([result.name, f"could not run: {result.problem}", *[NOTHING] * 3])
    head = ["server", "requests/s", "Ostinato vs server", "p50, ms", "p99, ms"]
    return (
        f"## A mutation with one journaled insert, {requests.CONNECTIONS} connections\n\n"
        + table(head, rows)
    )


def idling(results: Sequence[idle.Idle], seconds: float) -> str:
    rows = [[result.name, f"{result.cpu_percent:.2f}", short(result.mib)] for result in results]
    return f"## Idle for {seconds:.0f} s\n\n" + table(["process", "% of a core", "MiB"], rows)


def profiled(results: Sequence[profile.Result]) -> str:
    return "## Where the time goes\n\n" + "\n\n".join(map(_profile, results))


def _profile(result: profile.Result) -> str:
    if result.drained is None:
        return f"{result.system.name}: could not run: {result.problem}"
    drained = result.drained
    rows = [
        [
            *(command.name, f"{command.count:,}", f"{command.seconds:.2f}"),
            *(short(command.seconds * 1000 / command.count), f"{command.changed:,}"),
        ]
        for command in result.commands
    ]
    return (
        f"{result.system.name}, {result.jobs:,} jobs at {short(drained.drained)} jobs/s with a "
        f"command listener; CPU per job: worker {drained.worker_ms:.3f} ms, mongod "
        f"{drained.mongod_ms:.3f}, Valkey {drained.valkey_ms:.3f}, "
        f"the API {drained.watch_ms:.3f}.{_redis(result)}\n\n"
        + table(["command", "count", "total s", "ms each", "documents"], rows)
    )


def _redis(result: profile.Result) -> str:
    if result.redis_per_chunk is None:
        return ""
    return f" Redis processed {short(result.redis_per_chunk)} commands per claimed chunk."
