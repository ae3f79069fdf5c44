"""Checks the files of a live run, without a server.

`python -m benchmarks.chaos.live.checker DIR`
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.chaos import checker, history
from benchmarks.chaos.history import History
from benchmarks.chaos.live import checks, final_state, log, patterns
from benchmarks.chaos.live.final_state import FinalState
from benchmarks.chaos.live.views import ClientHistory, client_history
from ostinato.jobs.records import CauseKind

CLOSED_PERMANENTLY: Final = "a socket was closed permanently"
RETRYABLE_CODES: Final = frozenset({None, 1000, 1001, 1006, 1012, 1013, 4408})
SLOW_CLIENT: Final = 1013
OTHER_CAUSES: Final = frozenset({CauseKind.REQUEST, CauseKind.BATCH, CauseKind.RECURRING})


def violations(clients: Sequence[ClientHistory], found: FinalState) -> dict[str, list[str]]:
    """Return what each check of subscriptions found, empty if there is no violation."""
    descriptions = defaultdict(list)
    for client in clients:
        for subscription in client.subscriptions:
            for name, flaw in checks.flaws(subscription, found):
                spec = subscription.spec
                descriptions[name].append(
                    f"{subscription.name} ({spec.root} {spec.filter}): {flaw}"
                )
        for code in client.codes:
            if code not in RETRYABLE_CODES:
                descriptions[CLOSED_PERMANENTLY].append(f"with code {code}")
    return dict(descriptions)


def summary(clients: Sequence[ClientHistory]) -> str:
    """Summarize the connections of the clients."""
    subscriptions = [subscription for client in clients for subscription in client.subscriptions]
    codes = Counter(code for client in clients for code in client.codes)
    switches = sum(_switches(client.opened) for client in clients)
    disconnects = sum(client.disconnects for client in clients)
    return (
        f"{len(clients)} clients, {len(subscriptions)} subscriptions: "
        f"{sum(subscription.messages for subscription in subscriptions):,} messages, "
        f"{sum(subscription.resumed for subscription in subscriptions):,} resumed "
        f"({switches} at another API, {codes[SLOW_CLIENT]} too slow, {disconnects} disconnected), "
        f"{sum(len(subscription.sessions) - 1 for subscription in subscriptions)} restarted"
    )


def _switches(apis: Sequence[int]) -> int:
    return sum(before != after for before, after in pairwise(apis))


def without_other_jobs(found: History) -> History:
    """Leave out the jobs of requests, batches and recurring tasks, which have no expectations."""
    jobs = {job.id: job for job in found.jobs.values() if job.cause.kind not in OTHER_CAUSES}
    return replace(found, jobs=jobs, failures=found.failures & jobs.keys())


def read(folder: Path) -> tuple[History, list[ClientHistory], FinalState]:
    clients = [
        client_history(f"{number:03}", lines) for number, lines in enumerate(log.read(folder))
    ]
    return history.read(folder), clients, final_state.read(folder)


def all_violations(
    found: History, clients: Sequence[ClientHistory], state: FinalState
) -> dict[str, list[str]]:
    return {**violations(clients, state), **checker.violations(without_other_jobs(found))}


def main() -> None:
    folder = Path(sys.argv[1])
    found = {**all_violations(*read(folder)), **patterns.read(folder)}
    print(checker.formatted(found) or "no violation found")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
