"""A job's record stays consistent under any order of transitions."""

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck
from hypothesis import settings as examples
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import integers, sampled_from

from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.lifecycle import FINAL_STATES, TransitionName
from ostinato.jobs.mongo.claimed_jobs import claimed_job_from
from ostinato.jobs.outcome import Outcome
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.attempt import Attempt
from ostinato.jobs.worker.stored_errors import stored_error
from tests.engine.rig import Rig

T = TypeVar("T")
ENDINGS = [
    TransitionName.SUCCEED,
    TransitionName.FAIL,
    TransitionName.RETRY,
    TransitionName.STOP,
    TransitionName.HAND_BACK,
    TransitionName.RESCUE,
]
INTERLEAVING_SETTINGS = examples(
    max_examples=25,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)


def consistent(job: dict[str, Any]) -> bool:
    """Return whether a job's fields agree with its timeline and its state."""
    timeline = job["timeline"]
    ended = job["state"] in FINAL_STATES
    steps = itertools.pairwise(timeline)
    return (
        [event["seq"] for event in timeline] == list(range(1, len(timeline) + 1))
        and all(before["state"] == after["from"] for before, after in steps)
        and timeline[-1]["state"] == job["state"]
        and [event["attempt"] for event in timeline] == sorted(e["attempt"] for e in timeline)
        and timeline[-1]["attempt"] == job["attempt"] <= job["maxAttempts"]
        and ("purgeAt" in job) == (ended and job["state"] != "failed")
        and ("lease" in job) == (job["state"] == "inProgress")
        and ("completedAt" in job) == ended
    )


class Interleavings(RuleBasedStateMachine):
    runner: asyncio.Runner
    rig: Rig
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.versions: dict[str, int] = {}

    def run_coroutine(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @rule(target=jobs, name=sampled_from(["echo", "fail_twice", "echo_in_mutation"]))
    def schedule(self, name: str) -> str:
        self.ids.append(self.run_coroutine(self.rig.schedule(name)))
        return self.ids[-1]

    @rule(job_id=jobs, worker=sampled_from("vw"))
    def claim(self, job_id: str, worker: str) -> None:
        before = self.run_coroutine(self.rig.job(job_id))
        claimed = self.run_coroutine(self.rig.claim(job_id, worker))
        assert bool(claimed) == (before["state"] == "pending")

    @rule(job_id=jobs, name=sampled_from(ENDINGS), back=integers(0, 1))
    def complete(self, job_id: str, name: TransitionName, back: int) -> None:
        before = self.run_coroutine(self.rig.job(job_id))
        attempt = before["attempt"] - back
        outcome = Outcome(
            job_id=job_id,
            attempt=attempt,
            transition=name,
            retention_ms=9,
            error=stored_error("E", "$owner"),
        )
        self.run_coroutine(self.rig.complete(outcome))
        if back or before["state"] != "inProgress":
            assert self.run_coroutine(self.rig.job(job_id)) == before

    @rule(job_id=jobs, kind=sampled_from(FunctionKind), times=integers(1, 3))
    def lose_worker(self, job_id: str, kind: FunctionKind, times: int) -> None:
        before = self.run_coroutine(self.rig.job(job_id))
        attempt = Attempt(claimed_job_from(before), 9)
        self.run_coroutine(self.rig.complete(attempt.outcome_of_lost_worker(kind, times, "w")))

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        before = self.run_coroutine(self.rig.job(job_id))
        try:
            self.run_coroutine(self.rig.cancel(job_id))
        except PreconditionFailed:
            assert before["state"] in FINAL_STATES

    @rule(job_id=jobs)
    def retry_manually(self, job_id: str) -> None:
        before = self.run_coroutine(self.rig.job(job_id))
        try:
            self.run_coroutine(self.rig.engine.changes.retry(job_id))
        except PreconditionFailed:
            assert before["state"] not in {"failed", "canceled"}

    @invariant()
    def all_records_are_consistent(self) -> None:
        failed = []
        for job in self.run_coroutine(self.rig.all("jobs", _id={"$in": self.ids})):
            assert consistent(job), job
            assert job["version"] >= self.versions.get(job["_id"], 0)
            self.versions[job["_id"]] = job["version"]
            failed += [job["_id"]] * (job["state"] == "failed")
        failures = self.run_coroutine(self.rig.all("failures", _id={"$in": self.ids}))
        assert [failure["_id"] for failure in failures] == failed


def test_any_order_of_transitions_keeps_a_job_consistent(fast_settings: Settings) -> None:
    with asyncio.Runner() as runner:
        opened = Engine.open(fast_settings)
        Interleavings.runner, Interleavings.rig = runner, Rig(runner.run(opened.__aenter__()))
        try:
            run_state_machine_as_test(Interleavings, settings=INTERLEAVING_SETTINGS)
        finally:
            runner.run(opened.__aexit__(None, None, None))
