"""The append-only log of every operation: the request and its answer."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ostinato.jobs.records import JsonObject


class Kind(StrEnum):
    SCHEDULE = "schedule"
    CANCEL = "cancel"
    REGISTER_CRON = "registerCron"
    PAUSE_CRON = "pauseCron"
    SCHEDULE_MANY = "scheduleMany"
    RESCHEDULE = "reschedule"
    RETRY = "retry"
    CANCEL_JOBS = "cancelJobs"
    RETRY_JOBS = "retryJobs"
    RESCHEDULE_JOBS = "rescheduleJobs"
    RESOLVE_FAILURES = "resolveFailures"
    RESUME_CRON = "resumeCron"
    UPDATE_CRON = "updateCron"
    SKIP_NEXT_RUN = "skipNextRun"
    TRIGGER_CRON = "triggerCron"
    BACKFILL_CRON = "backfillCron"
    APPLY_CRONS = "applyCrons"


BULK: Final = frozenset(
    {Kind.CANCEL_JOBS, Kind.RETRY_JOBS, Kind.RESCHEDULE_JOBS, Kind.RESOLVE_FAILURES}
)
"""The bulk actions: their input is a filter, of RESCHEDULE_JOBS also `runAfterMs`."""


class Outcome(StrEnum):
    OK = "ok"
    """Acknowledged: it took effect."""
    FAILED = "failed"
    """Rejected, or never sent: it had no effect."""
    UNKNOWN = "unknown"
    """No answer, or an ambiguous one: it may have taken effect."""


@dataclass(frozen=True, slots=True)
class Request:
    kind: Kind
    input: JsonObject


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: Outcome
    value: JsonObject
    """The payload, or {code, message} if the call was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A call and its answer, as recorded in the log."""

    number: int
    request: Request
    answer: Answer
    """Unknown if the log contains no answer."""

    @property
    def is_ok(self) -> bool:
        return self.answer.outcome is Outcome.OK

    @property
    def has_failed(self) -> bool:
        """Return whether it had no effect."""
        return self.answer.outcome is Outcome.FAILED


NO_ANSWER = Answer(Outcome.UNKNOWN, {})


class OperationLog:
    """Writes the log; each line is written before the call is sent."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._count = 0

    def invoke(self, request: Request) -> int:
        """Log a request that will be sent, and return its number."""
        self._count += 1
        self._write(self._count, "invoke", {"kind": request.kind, "input": request.input})
        return self._count

    def end(self, number: int, answer: Answer) -> None:
        self._write(number, answer.outcome, {"value": answer.value})

    def close(self) -> None:
        self._file.close()

    def _write(self, number: int, type_: str, content: JsonObject) -> None:
        line = {"op": number, "at": time.time(), "type": type_, **content}
        self._file.write(json.dumps(line).encode() + b"\n")


def read(lines: Iterable[str]) -> list[Operation]:
    """Return each call with its answer, in the order of the calls."""
    found: dict[int, Operation] = {}
    for line in lines:
        entry: dict[str, Any] = json.loads(line)
        number = entry["op"]
        if entry["type"] == "invoke":
            request = Request(Kind(entry["kind"]), entry["input"])
            found[number] = Operation(number=number, request=request, answer=NO_ANSWER)
        else:
            answer = Answer(Outcome(entry["type"]), entry["value"])
            found[number] = replace(found[number], answer=answer)
    return list(found.values())


class AcknowledgedJobs:
    """Counts the acknowledged jobs in a growing log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._jobs: set[str] = set()
        self.crons = 0

    def count(self) -> int:
        """Read the new lines, and return the number of acknowledged jobs."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._note(json.loads(line))
        return len(self._jobs)

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["type"] != Outcome.OK:
            return
        if "scheduled" in entry["value"]:
            self._jobs.add(entry["value"]["scheduled"])
        self._jobs.update(entry["value"].get("allScheduled", ()))
        self.crons += "registered" in entry["value"]
