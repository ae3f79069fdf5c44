"""The expected behavior of each function of the load: attempts, effects, child jobs. Data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.records import FunctionKind, Json

PLANNED_ERRORS: Final = frozenset({"Planned"})
MONGODB_ERRORS: Final = frozenset(
    {"AutoReconnect", "NetworkTimeout", "NotPrimaryError", "ServerSelectionTimeoutError"}
)
"""Errors of calls from an action while MongoDB is unavailable, which the action should handle."""
REJECTION_ERRORS: Final = frozenset({"OutcomeRefused", "WriteError"})
"""Errors of jobs whose outcome MongoDB rejects; mutations get them in their transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    kind: FunctionKind
    retries: int = 0
    """The number of retries of its policy."""
    effects: int = 0
    """Documents that exist after success; after anything else there are none."""
    children: int | None = 0
    """Jobs that exist after success; None if the function notes them itself."""
    succeeds: bool = True
    """Whether it can succeed."""
    fails_by: frozenset[str] = frozenset()
    """Errors with which it may fail, besides the loss of its workers."""


_MUTATION, _ACTION = FunctionKind.MUTATION, FunctionKind.ACTION

EXPECTATIONS: Final = {
    "ledger.enter": Expectation(kind=_MUTATION, effects=1),
    "ledger.tally": Expectation(kind=_MUTATION, effects=1),
    "ledger.passOn": Expectation(kind=_MUTATION, effects=1, children=2),
    "ledger.stumble": Expectation(kind=_MUTATION, effects=1, children=1, retries=2),
    "ledger.refuse": Expectation(kind=_MUTATION, succeeds=False, fails_by=PLANNED_ERRORS),
    "ledger.tick": Expectation(kind=_MUTATION, effects=1),
    "ledger.touch": Expectation(kind=_ACTION),
    "ledger.linger": Expectation(kind=_ACTION, retries=5),
    "ledger.flicker": Expectation(kind=_ACTION, retries=3),
    "ledger.fail": Expectation(kind=_ACTION, retries=1, succeeds=False, fails_by=PLANNED_ERRORS),
    "ledger.delegate": Expectation(kind=_ACTION, children=None, fails_by=MONGODB_ERRORS),
}
"""By function; jobs of other functions are internal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """A cron of the load."""

    every_ms: int
    input: Mapping[str, Json]
    may_skip: bool
    """Whether its policies allow it to skip ticks, which it counts."""


CHANGED: Final = "changed"
"""The name of the cron that the load changes, pauses, skips, triggers and backfills."""
CRONS: Final = {
    "every tick": Cadence(
        every_ms=1_000,
        input={"intervalMs": 1_000, "overlap": "ALLOW", "catchUp": "ALL"},
        may_skip=False,
    ),
    "the newest tick": Cadence(
        every_ms=2_000,
        input={"cronspec": "*/2 * * * * *", "overlap": "SKIP", "catchUp": "LATEST"},
        may_skip=True,
    ),
    "one after another": Cadence(
        every_ms=1_500,
        input={"intervalMs": 1_500, "overlap": "QUEUE", "catchUp": "ALL"},
        may_skip=True,
    ),
    CHANGED: Cadence(
        every_ms=1_000,
        input={"cronspec": "* * * * * *", "overlap": "ALLOW", "catchUp": "ALL"},
        may_skip=True,
    ),
}
"""The crons of the load, by name."""
