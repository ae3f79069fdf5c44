"""The log of every operation: what was asked, and how it was answered; lines are only appended."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ostinato.jobs.records import JsonObject


class Kind(StrEnum):
    SCHEDULE = "schedule"
    CANCEL = "cancel"
    REGISTER_CRON = "registerCron"
    PAUSE_CRON = "pauseCron"


class Answered(StrEnum):
    OK = "ok"
    """Acknowledged: it happened."""
    FAILED = "failed"
    """Refused, or never sent: it did not happen."""
    UNKNOWN = "unknown"
    """No answer, or one that does not say: it may have happened."""


@dataclass(frozen=True, slots=True)
class Request:
    kind: Kind
    input: JsonObject


@dataclass(frozen=True, slots=True)
class Answer:
    answered: Answered
    value: JsonObject
    """What came back; of a refusal, {code, message}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call and its answer, as the log has it at the end."""

    number: int
    request: Request
    answer: Answer
    """Unknown if the log has none."""

    @property
    def is_ok(self) -> bool:
        return self.answer.answered is Answered.OK


NO_ANSWER = Answer(Answered.UNKNOWN, {})


class OperationLog:
    """Writes the log; a line is with the operating system before the call goes on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._count = 0

    def invoke(self, request: Request) -> int:
        """Note what is about to be sent, and give its number."""
        self._count += 1
        self._write(self._count, "invoke", {"kind": request.kind, "input": request.input})
        return self._count

    def end(self, number: int, answer: Answer) -> None:
        self._write(number, answer.answered, {"value": answer.value})

    def close(self) -> None:
        self._file.close()

    def _write(self, number: int, what: str, said: JsonObject) -> None:
        line = {"op": number, "at": time.time(), "type": what, **said}
        self._file.write(json.dumps(line).encode() + b"\n")


def read(lines: Iterable[str]) -> list[Operation]:
    """Put each call and its answer together, in the order of the calls."""
    found: dict[int, Operation] = {}
    for line in lines:
        entry: dict[str, Any] = json.loads(line)
        number = entry["op"]
        if entry["type"] == "invoke":
            request = Request(Kind(entry["kind"]), entry["input"])
            found[number] = Operation(number=number, request=request, answer=NO_ANSWER)
        else:
            answer = Answer(Answered(entry["type"]), entry["value"])
            found[number] = replace(found[number], answer=answer)
    return list(found.values())


class Acknowledged:
    """Counts the jobs that a growing log has acknowledged so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._jobs: set[str] = set()
        self.crons = 0

    def count(self) -> int:
        """Read what is new, and return the number of different jobs."""
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
        if entry["type"] != Answered.OK:
            return
        if "scheduled" in entry["value"]:
            self._jobs.add(entry["value"]["scheduled"])
        self.crons += "registered" in entry["value"]
