"""Formats the measurements of bulk calls, lost workers, several workers and mixed load."""

from collections.abc import Sequence
from typing import Final

from benchmarks.figures import NOTHING, Figures, percentile, ratio, short, table
from benchmarks.measures import bulk, drain, flood, mixed, rescue
from benchmarks.systems import BULLMQ_FSYNCED, PGQUEUER

MODELED_CORES: Final = (2, 4, 8, 16)


def scheduled(results: Sequence[bulk.Result], jobs: int) -> str:
    """Format how fast one process schedules many jobs."""
    rates = {result.system.name: Figures(tuple(result.rates)) for result in results if result.rates}
    peers = [rates.get(peer.name) for peer in (BULLMQ_FSYNCED, PGQUEUER)]
    rows = []
    for result in results:
        name = result.system.name
        if not result.rates:
            rows.append([name, f"could not run: {result.problem}", *[NOTHING] * 3])
            continue
        costs = [result.client_us, result.servers_us]
        rows.append(
            [
                *(name, str(rates[name])),
                *(ratio(rates[name].median, peer.median if peer else 0.0) for peer in peers),
                " + ".join(f"{Figures(tuple(values)).median:.0f}" for values in costs),
            ]
        )
    head = ["system", "jobs/s scheduled", "vs BullMQ fsynced", "vs PgQueuer"]
    return (
        f"## {jobs:,} jobs scheduled by one process\n\nIn calls or transactions of 1,000 jobs if "
        "nothing else is said; no worker runs.\n\n"
        + table([*head, "CPU us per job: client + servers"], rows)
    )


def rescued(results: Sequence[rescue.Result], within_s: float) -> str:
    """Format how long jobs wait after `kill -9` of their worker."""
    rows = []
    for result in results:
        row = [result.system.name]
        if result.problem:
            row += [f"could not run: {result.problem}", NOTHING]
        else:
            waits_s = result.waits_s
            row += [f"{percentile(waits_s, 50):.1f}", f"{max(waits_s):.1f}"]
        rows.append([*row, result.system.rescue or NOTHING])
    head = ["system", "half run again after, s", "all, s", "what detects the loss"]
    return (
        f"## After `kill -9` of the worker\n\n{rescue.JOBS} jobs are running when their worker is "
        "killed, and another worker starts at once; the times include its start. Ostinato's are "
        "actions with a retry policy. "
        f"The settings are defaults, and at most {within_s:.0f} s are waited.\n\n"
        + table(head, rows)
    )


def scaled(results: Sequence[drain.Result], cores: int) -> str:
    """Format drains with several workers, and what their costs predict for more cores."""
    measured = [result for result in results if result.rounds]
    if not measured:
        return f"## More workers\n\nCould not run: {results[0].problem}"
    rows = []
    for result in measured:
        rate = Figures(tuple(one.drained for one in result.rounds))
        rows.append([str(result.workers), str(rate), *map("{:.3f}".format, _costs(result))])
    head = ["workers", "jobs/s drained", "worker, CPU ms per job", "servers, CPU ms per job"]
    worker_ms, servers_ms = _costs(measured[0])
    total_ms = worker_ms + servers_ms
    predictions = [
        [
            *(str(count), short(count * 1000 / total_ms)),
            short(count * worker_ms / total_ms),
        ]
        for count in MODELED_CORES
    ]
    return (
        f"## More workers\n\nNo-op actions, on {cores} cores.\n\n{table(head, rows)}\n\n"
        f"A model: with one worker, a job costs {worker_ms:.3f} ms of the worker and "
        f"{servers_ms:.3f} ms of the servers and the API. If only processor time bounds the drain, "
        "and both scale, cores can drain:\n\n"
        + table(["cores", "jobs/s, at most", "of them cores of workers"], predictions)
        + "\n\nOnly the first rows are measured. One mongod writes all jobs: what it cannot do in "
        "parallel lowers the prediction, and so does the one leader that dispatches."
    )


def _costs(result: drain.Result) -> tuple[float, float]:
    """Return the processor time in ms per job of the workers, and of all else."""
    worker = Figures(tuple(one.worker_ms for one in result.rounds))
    servers = Figures(tuple(one.servers_ms for one in result.rounds))
    return worker.median, servers.median


def mixed_with(results: Sequence[mixed.Result], jobs: int) -> str:
    """Format the drain of no-op jobs beside other work."""
    rows = []
    for result in results:
        load = "crons, retries and subscriptions" if result.mixed else "none"
        if not result.rounds:
            rows.append([load, f"could not run: {result.problem}", *[NOTHING] * 4])
            continue
        rounds = result.rounds
        rate = Figures(tuple(one.rate for one in rounds))
        costs = [[one.worker_ms for one in rounds], [one.servers_ms for one in rounds]]
        rows.append(
            [
                *(load, str(rate)),
                " + ".join(f"{Figures(tuple(values)).median:.3f}" for values in costs),
                *(str(sum(one.ticks for one in rounds)), str(sum(one.retried for one in rounds))),
            ]
        )
    head = ["other load", "no-op jobs/s drained", "CPU ms per no-op job: worker + servers"]
    return (
        f"## A mixed load\n\n{jobs:,} no-op actions are drained by one worker while "
        f"{mixed.CRONS} crons tick each second, a tenth as many other jobs fail once and are "
        f"retried, and {mixed.SOCKETS} sockets are subscribed.\n\n"
        + table([*head, "runs of crons", "retried jobs"], rows)
    )


def flooded(results: Sequence[flood.Result]) -> str:
    """Format how late jobs start while another owner floods the queue."""
    rows = []
    for result in results:
        row = [f"{result.flood:,}" if result.flood else "none"]
        if result.late_ms:
            row += [short(result.percentile(percent)) for percent in (50, 99)]
            row += [str(len(result.late_ms))]
        else:
            row += [f"could not run: {result.problem}", *[NOTHING] * 2]
        rows.append(row)
    return (
        "## While one owner floods the queue\n\nJobs of one owner, at random times, "
        f"{flood.JOBS_PER_S} per second, while another owner's jobs are due.\n\n"
        + table(["due jobs of the other", "p50, ms", "p99, ms", "jobs"], rows)
    )
