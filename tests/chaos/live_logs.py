"""A hand-made client log in which every change arrived; each test changes one line."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.chaos.live.checker import violations
from benchmarks.chaos.live.final_state import FinalState, build_final_state, encode_global_id
from benchmarks.chaos.live.log import LogEvent
from benchmarks.chaos.live.subscriptions import BATCH, CRONS, JOB, JOBS, SubscriptionSpec
from benchmarks.chaos.live.views import client_history
from ostinato.jobs.lifecycle import TransitionName
from tests.chaos.histories import BEGIN, SUCCEEDED, make_job

Line = dict[str, Any]

RETRIED = make_job("retried", (TransitionName.CLAIM, TransitionName.RETRY, *SUCCEEDED))
DONE = make_job("done")
FINAL_STATE: FinalState = build_final_state(
    [RETRIED, DONE, make_job("elsewhere", owner="ben")],
    {
        CRONS: [{"_id": "cron", "owner": "ada", "version": 4}],
        BATCH: [{"_id": "batch", "owner": "ada", "version": 3}],
    },
)
EARLY = BEGIN.timestamp() - 1
ALL = SubscriptionSpec(root=JOBS, owner="ada", snapshot=True)
PENDING = SubscriptionSpec(root=JOBS, owner="ada", filter={"states": ["PENDING"]}, snapshot=True)
COALESCED = SubscriptionSpec(root=JOBS, owner="ada", coalesce=True)
WITHOUT_SNAPSHOT = SubscriptionSpec(root=JOBS, owner="ada")
SINGLE_JOB = SubscriptionSpec(
    root=JOB, owner="ada", id=encode_global_id("Job", "retried"), from_seq=1
)
ALL_CRONS = SubscriptionSpec(root=CRONS, owner="ada", snapshot=True)
SINGLE_BATCH = SubscriptionSpec(root=BATCH, owner="ada", id=encode_global_id("Batch", "batch"))


def message_line(spec: SubscriptionSpec, kind: str, at: float = EARLY, **message: Any) -> Line:
    data = {spec.root: {"kind": kind, "cursor": "c", "id": None, "found": None, **message}}
    return {"at": at, "event": LogEvent.RECEIVED, "sub": 0, "message": {"payload": {"data": data}}}


def job_line(
    spec: SubscriptionSpec, kind: str, name: str, seq: int, state_seq: int | None = None
) -> Line:
    """Return the message of a job's event; the job may be in the state of a later event."""
    known = {"retried": RETRIED, "done": DONE}[name]
    event = known.timeline[(state_seq or seq) - 1]
    found: dict[str, Any] = {
        "id": encode_global_id("Job", name),
        "state": event.state.name,
        "attempt": event.attempt,
        "version": event.seq,
    }
    shown: dict[str, Any] = {"id": found["id"], "found": found}
    return (
        message_line(spec, kind, **shown)
        if kind == "SNAPSHOT"
        else message_line(spec, kind, **shown, event={"seq": seq})
    )


def record_line(spec: SubscriptionSpec, kind: str, type_name: str, version: int | None) -> Line:
    """Return the message of a change to another type of record."""
    name = encode_global_id(type_name, type_name.lower())
    found = None if version is None else {"id": name, "version": version}
    return message_line(spec, kind, id=name, found=found)


def ready_line(spec: SubscriptionSpec, at: float = EARLY) -> Line:
    return message_line(spec, "READY", at)


def subscribed_line(after: str | None = None) -> Line:
    return {"at": EARLY, "event": LogEvent.SUBSCRIBED, "sub": 0, "after": after}


def failed_line(code: str) -> Line:
    return {
        "at": EARLY,
        "event": LogEvent.FAILED,
        "sub": 0,
        "errors": [{"extensions": {"code": code}}],
    }


def closed_line(code: int | None) -> Line:
    return {"at": EARLY, "event": LogEvent.CLOSED, "code": code, "was_open": True}


CAUGHT_UP: Line = {"at": EARLY, "event": LogEvent.CAUGHT_UP, "sub": 0}


def check_log(
    spec: SubscriptionSpec, lines: Sequence[Line], *, caught_up: bool = True
) -> dict[str, list[str]]:
    """Return the violations in the log of one subscription."""
    added = {"at": EARLY, "event": LogEvent.ADDED, "sub": 0, "spec": asdict(spec)}
    end = [CAUGHT_UP] if caught_up else []
    return violations(
        [client_history("client", [added, subscribed_line(), *lines, *end])], FINAL_STATE
    )
