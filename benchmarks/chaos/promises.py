"""What each function of the load owes: how often it may start, and what it leaves behind. Data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.records import FunctionKind, Json

PLANNED: Final = frozenset({"Planned"})
BY_MONGODB: Final = frozenset(
    {"AutoReconnect", "NetworkTimeout", "NotPrimaryError", "ServerSelectionTimeoutError"}
)
"""What a call of an action meets while MongoDB is away: it is the action's to handle."""
BY_REFUSAL: Final = frozenset({"OutcomeRefused", "WriteError"})
"""What ends a job whose outcome MongoDB does not take; a mutation meets it in its transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    kind: FunctionKind
    retries: int = 0
    """How often its policy starts it again."""
    effects: int = 0
    """Documents that its success leaves; anything else leaves none."""
    children: int | None = 0
    """Jobs that its success leaves; None if it says so itself, in a note."""
    succeeds: bool = True
    """Whether it ever can."""
    fails_by: frozenset[str] = frozenset()
    """Names of the errors that may end it, beside the loss of its workers."""


_MUTATION, _ACTION = FunctionKind.MUTATION, FunctionKind.ACTION

PROMISES: Final = {
    "ledger.enter": Promise(kind=_MUTATION, effects=1),
    "ledger.tally": Promise(kind=_MUTATION, effects=1),
    "ledger.passOn": Promise(kind=_MUTATION, effects=1, children=2),
    "ledger.stumble": Promise(kind=_MUTATION, effects=1, children=1, retries=2),
    "ledger.refuse": Promise(kind=_MUTATION, succeeds=False, fails_by=PLANNED),
    "ledger.tick": Promise(kind=_MUTATION, effects=1),
    "ledger.touch": Promise(kind=_ACTION),
    "ledger.linger": Promise(kind=_ACTION, retries=5),
    "ledger.flicker": Promise(kind=_ACTION, retries=3),
    "ledger.fail": Promise(kind=_ACTION, retries=1, succeeds=False, fails_by=PLANNED),
    "ledger.delegate": Promise(kind=_ACTION, children=None, fails_by=BY_MONGODB),
}
"""Jobs of any other function are the system's own: they leave nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """A cron of the load."""

    every_ms: int
    input: Mapping[str, Json]
    may_skip: bool
    """Whether its policies let it leave ticks out; it counts those."""


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
}
"""By name."""
