"""The client's calls that change crons, and apply sets of them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Final

from benchmarks.chaos.operations import Answer, Kind, Outcome, Request
from ostinato.jobs.records import Json, JsonObject

PAUSE_S: Final = 0.6  # on average, between two calls
SET: Final = "chaos"
MAX_DECLARED: Final = 4
BACKFILLED: Final = timedelta(seconds=20)
KINDS: Final = (
    *(Kind.UPDATE_CRON, Kind.UPDATE_CRON, Kind.UPDATE_CRON, Kind.APPLY_CRONS, Kind.APPLY_CRONS),
    *(Kind.PAUSE_CRON, Kind.RESUME_CRON, Kind.RESUME_CRON),
    *(Kind.SKIP_NEXT_RUN, Kind.SKIP_NEXT_RUN, Kind.TRIGGER_CRON, Kind.TRIGGER_CRON),
    Kind.BACKFILL_CRON,
)
NO_EXCLUSIONS: Final[JsonObject] = {"exclusions": {}}
APPLY_NONE: Final = Request(Kind.APPLY_CRONS, {"managedBy": SET, "crons": []})


class CronPlan:
    """Chooses the next call for a cron, at random."""

    def __init__(self, cron_id: str, random: Random) -> None:
        self._cron_id = cron_id
        self._random = random
        self._numbers = count()
        self._repeated: Request | None = None

    def next(self, now: datetime) -> Request:
        """Return the next call; a call whose outcome is unknown is repeated if that is safe."""
        if (repeated := self._repeated) is not None:
            self._repeated = None
            return repeated
        kind = self._random.choice(KINDS)
        if kind is Kind.APPLY_CRONS:
            return Request(kind, {"managedBy": SET, "crons": self._declared()})
        return Request(kind, {"cronId": self._cron_id, **self._input(kind, now)})

    def on_answer(self, request: Request, answer: Answer) -> None:
        is_safe = request.kind in (Kind.TRIGGER_CRON, Kind.APPLY_CRONS)
        if answer.outcome is Outcome.UNKNOWN and is_safe:
            self._repeated = request

    def last(self) -> list[Request]:
        """Return the calls with which the crons end."""
        changed = {"cronId": self._cron_id, **NO_EXCLUSIONS}
        return [APPLY_NONE, Request(Kind.UPDATE_CRON, changed)]

    def _input(self, kind: Kind, now: datetime) -> JsonObject:
        if kind is Kind.UPDATE_CRON:
            return self._changes(now)
        if kind is Kind.TRIGGER_CRON:
            return {"key": f"trigger-{next(self._numbers)}"}
        if kind is Kind.BACKFILL_CRON:
            return {"from": (now - BACKFILLED).isoformat(), "to": now.isoformat()}
        return {}

    def _changes(self, now: datetime) -> JsonObject:
        """Return changes that keep the planned ticks: one each second."""
        days: list[Json] = [(now + timedelta(days=n)).date().isoformat() for n in range(2)]
        changes: tuple[JsonObject, ...] = (
            {"overlap": self._random.choice(("ALLOW", "SKIP", "QUEUE"))},
            {"catchUp": self._random.choice(("ALL", "LATEST"))},
            {"args": {"mark": f"changed-{next(self._numbers)}"}},
            {"exclusions": {"dates": days}},
            NO_EXCLUSIONS,
            NO_EXCLUSIONS,
        )
        return self._random.choice(changes)

    def _declared(self) -> list[Json]:
        names = self._random.sample(range(MAX_DECLARED), self._random.randint(0, MAX_DECLARED))
        return [
            {
                "name": f"declared {name}",
                "functionName": "ledger.tick",
                "args": {"mark": f"declared-{name}"},
                "intervalMs": self._random.choice((1_000, 2_000)),
                "overlap": "ALLOW",
            }
            for name in names
        ]


def utc_now() -> datetime:
    return datetime.now(UTC)
