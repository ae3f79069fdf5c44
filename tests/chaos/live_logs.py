"""A hand-made client log in which every change arrived; each test breaks it in one place."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.chaos.live.facts import Facts, facts, global_id
from benchmarks.chaos.live.judge import violations
from benchmarks.chaos.live.log import What
from benchmarks.chaos.live.views import diary
from benchmarks.chaos.live.wants import BATCH, CRONS, JOB, JOBS, Want
from ostinato.jobs.lifecycle import TransitionName
from tests.chaos.histories import BEGIN, SUCCEEDED, made

Line = dict[str, Any]

RETRIED = made("retried", (TransitionName.CLAIM, TransitionName.RETRY, *SUCCEEDED))
DONE = made("done")
FACTS: Facts = facts(
    [RETRIED, DONE, made("elsewhere", owner="ben")],
    {
        CRONS: [{"_id": "cron", "owner": "ada", "version": 4}],
        BATCH: [{"_id": "batch", "owner": "ada", "version": 3}],
    },
)
EARLY = BEGIN.timestamp() - 1
ALL = Want(root=JOBS, owner="ada", snapshot=True)
PENDING = Want(root=JOBS, owner="ada", filter={"states": ["PENDING"]}, snapshot=True)
COALESCED = Want(root=JOBS, owner="ada", coalesce=True)
UNSHOWN = Want(root=JOBS, owner="ada")
ONE = Want(root=JOB, owner="ada", id=global_id("Job", "retried"), from_seq=1)
OF_CRONS = Want(root=CRONS, owner="ada", snapshot=True)
OF_BATCH = Want(root=BATCH, owner="ada", id=global_id("Batch", "batch"))


def message_line(want: Want, kind: str, at: float = EARLY, **message: Any) -> Line:
    data = {want.root: {"kind": kind, "cursor": "c", "id": None, "found": None, **message}}
    return {"at": at, "what": What.TOLD, "sub": 0, "message": {"payload": {"data": data}}}


def job(want: Want, kind: str, name: str, seq: int, by: int | None = None) -> Line:
    """Make the message of a job's event; the job may be in the state of a later event."""
    known = {"retried": RETRIED, "done": DONE}[name]
    event = known.timeline[(by or seq) - 1]
    found: dict[str, Any] = {
        "id": global_id("Job", name),
        "state": event.state.name,
        "attempt": event.attempt,
        "version": event.seq,
    }
    shown: dict[str, Any] = {"id": found["id"], "found": found}
    return (
        message_line(want, kind, **shown)
        if kind == "SNAPSHOT"
        else message_line(want, kind, **shown, event={"seq": seq})
    )


def other(want: Want, kind: str, type_name: str, version: int | None) -> Line:
    """Make the message of a change to another type of record."""
    name = global_id(type_name, type_name.lower())
    found = None if version is None else {"id": name, "version": version}
    return message_line(want, kind, id=name, found=found)


def ready(want: Want, at: float = EARLY) -> Line:
    return message_line(want, "READY", at)


def asked(after: str | None = None) -> Line:
    return {"at": EARLY, "what": What.ASKED, "sub": 0, "after": after}


def failed(code: str) -> Line:
    return {"at": EARLY, "what": What.FAILED, "sub": 0, "errors": [{"extensions": {"code": code}}]}


def closed(code: int | None) -> Line:
    return {"at": EARLY, "what": What.CLOSED, "code": code, "was_open": True}


ARRIVED: Line = {"at": EARLY, "what": What.ARRIVED, "sub": 0}


def judged(want: Want, lines: Sequence[Line], *, arrived: bool = True) -> dict[str, list[str]]:
    """Check one subscription's log."""
    wants = {"at": EARLY, "what": What.WANTS, "sub": 0, "want": asdict(want)}
    end = [ARRIVED] if arrived else []
    return violations([diary("client", [wants, asked(), *lines, *end])], FACTS)
