"""Short mutation functions share a transaction, and do not affect each other."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from pymongo.errors import OperationFailure

from ostinato.jobs.mongo.client import Mongo, Session
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.transaction import (
    MAX_QUEUE_TIME_S,
    Contended,
    run_shielded_transaction,
    run_transaction,
)
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.shared_transactions import (
    MAX_CONCURRENT_TRANSACTIONS,
    SharedTransactions,
)
from ostinato.jobs.worker import function_stats
from tests.engine.functions import calls, gate
from tests.engine.rig import Document, Rig, run_worker

WRITERS = 12
TIMEOUT_S = 0.3


@pytest.fixture
def fast_settings(fast_settings: Settings) -> Settings:
    """Return settings with a lease that does not expire on a busy machine: tests count attempts."""
    return fast_settings.model_copy(update={"lease_ms": 60_000})


@pytest.fixture(autouse=True)
def quick_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count every function that has run as quick, on a busy machine, too."""
    monkeypatch.setattr(function_stats, "QUICK_S", 30.0)


@pytest.fixture
async def batching_rig(rig: Rig) -> Rig:
    """Return an installation whose worker has recorded that `insert_effect` is short."""
    await rig.run("insert_effect", name="first")
    return rig


async def run_all(rig: Rig, behaviors: Sequence[str]) -> list[Document]:
    names = [str(number) for number in range(len(behaviors))]
    jobs = [
        await rig.build_job("insert_effect", {"name": name, "behavior": behavior})
        for name, behavior in zip(names, behaviors, strict=True)
    ]
    # Only a job that holds its transaction may end by its timeout, also on a busy machine.
    scheduling = (
        rig.engine.schedule(replace(job, timeout_ms=4_000) if behavior == "hold" else job)
        for job, behavior in zip(jobs, behaviors, strict=True)
    )
    return [
        await rig.wait_until_ended(job.id, within=60) for job in await asyncio.gather(*scheduling)
    ]


async def has_effects_of(rig: Rig, jobs: Sequence[Document]) -> bool:
    effects = Counter(effect.get("name") for effect in await rig.all("effects"))
    succeeded = [job["args"]["name"] for job in jobs if job["state"] == "success"]
    return effects == Counter(["first", *succeeded])


async def test_waiting_mutations_are_committed_together(batching_rig: Rig) -> None:
    jobs = await run_all(batching_rig, ["write"] * 40)
    assert len({job["completedAt"] for job in jobs}) < 20
    assert [job["result"] for job in jobs] == [job["args"]["name"] for job in jobs]
    assert await has_effects_of(batching_rig, jobs)
    assert {job["attempt"] for job in jobs} == {1}


@pytest.mark.parametrize("behavior", ["raise", "hold", "duplicate key", "swallow", "swallow twice"])
async def test_failed_mutation_does_not_affect_the_others(batching_rig: Rig, behavior: str) -> None:
    await batching_rig.engine.mongo["effects"].insert_one({"_id": "the same", "name": "first"})
    await batching_rig.engine.mongo["effects"].delete_one(
        {"name": "first", "_id": {"$ne": "the same"}}
    )
    jobs = await run_all(batching_rig, ["write"] * WRITERS + [behavior] + ["write"] * WRITERS)
    assert [job["state"] for job in jobs].count("success") == 2 * WRITERS
    assert jobs[WRITERS]["state"] == "failed"
    assert await has_effects_of(batching_rig, jobs)


async def test_frequently_failing_mutations_do_not_restart_the_others(batching_rig: Rig) -> None:
    rig = batching_rig
    for name in ("a", "b"):
        await rig.run("count", name=name, fail=True)
    received, failing = [str(number) for number in range(WRITERS)], range(WRITERS)
    jobs = await asyncio.gather(
        *(rig.schedule("count", name=f"fails-{number}", fail=True) for number in failing),
        *(rig.schedule("insert_effect", name=name, behavior="record") for name in received),
        *(rig.schedule("count", name=f"fails-too-{number}", fail=True) for number in failing),
    )
    ended = Counter([(await rig.wait_until_ended(job_id, within=60))["state"] for job_id in jobs])
    assert ended == {"failed": 2 * WRITERS, "success": WRITERS}
    assert sorted(call for call in calls if isinstance(call, str)) == sorted(received)


async def test_canceled_mutation_does_not_affect_the_others(batching_rig: Rig) -> None:
    held = await batching_rig.schedule("insert_effect", name="held", behavior="hold")
    others = [
        await batching_rig.schedule("insert_effect", name=str(number)) for number in range(WRITERS)
    ]
    await batching_rig.wait_until(gate.reached.is_set)
    await batching_rig.cancel(held)
    ended = [await batching_rig.wait_until_ended(job_id) for job_id in [held, *others]]
    assert [job["state"] for job in ended] == ["canceled", *["success"] * WRITERS]
    assert await has_effects_of(batching_rig, ended)


async def test_mutation_whose_job_was_taken_over_does_not_affect_the_others(
    batching_rig: Rig,
) -> None:
    held = await batching_rig.schedule("insert_effect", name="held", behavior="hold")
    await batching_rig.wait_until(gate.reached.is_set)
    others = [
        await batching_rig.schedule("insert_effect", name=str(number)) for number in range(WRITERS)
    ]
    await batching_rig.engine.mongo["jobs"].update_one({"_id": held}, {"$inc": {"attempt": 1}})
    gate.opened.set()
    jobs = [await batching_rig.wait_until_ended(job_id) for job_id in others]
    assert [job["state"] for job in jobs] == ["success"] * WRITERS
    assert await has_effects_of(batching_rig, jobs)


async def test_mutations_wait_for_a_conflicting_transaction_of_another_client(
    batching_rig: Rig,
) -> None:
    mongo = batching_rig.engine.mongo
    async with await mongo.client.start_session() as session:
        session.start_transaction()
        await mongo["effects"].insert_one(
            {"_id": "the same", "name": "conflicting"}, session=session
        )
        behaviors = ["write"] * WRITERS + ["duplicate key"]
        running = asyncio.ensure_future(run_all(batching_rig, behaviors))
        await batching_rig.wait_until(
            lambda: batching_rig.has_jobs("insert_effect", "success", at_least=1 + WRITERS)
        )
        await session.abort_transaction()
    jobs = await running
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}


async def test_timeout_after_a_conflict_counts_as_contention(rig: Rig) -> None:
    mongo, tries = rig.engine.mongo, Counter[str]()

    async def conflict_then_wait(_session: Session) -> None:
        tries["all"] += 1
        if tries["all"] > 1:
            await asyncio.Event().wait()
        raise OperationFailure("a conflict", 112, {"errorLabels": ["TransientTransactionError"]})

    with pytest.raises(Contended):
        await SharedTransactions(mongo, OutcomeStore(mongo)).run(conflict_then_wait, 0.3)


async def succeeds_after_waiting(
    running: "asyncio.Task[str]", start_turn: Callable[[], None]
) -> bool:
    """Wait longer than the timeout of the task, then start its turn."""
    done, _ = await asyncio.wait([running], timeout=3 * TIMEOUT_S)
    start_turn()
    return not done and await running == "kept"


async def test_time_waiting_for_other_mutations_does_not_count_towards_the_timeout(
    rig: Rig,
) -> None:
    mongo, opened = rig.engine.mongo, asyncio.Event()
    shared = SharedTransactions(mongo, OutcomeStore(mongo))

    async def hold(_session: Session) -> bool:
        return await opened.wait()

    async def keep(_session: Session) -> str:
        return "kept"

    holding = [
        asyncio.create_task(shared.run(hold, 10.0)) for _ in range(MAX_CONCURRENT_TRANSACTIONS + 1)
    ]
    keeping = asyncio.create_task(shared.run(keep, TIMEOUT_S))
    assert await succeeds_after_waiting(keeping, opened.set)
    assert await asyncio.gather(*holding) == [True] * len(holding)


async def test_waiting_mutations_continue_after_a_transaction_is_canceled(
    rig: Rig,
) -> None:
    mongo, opened, entered = rig.engine.mongo, asyncio.Event(), asyncio.Event()
    shared = SharedTransactions(mongo, OutcomeStore(mongo))

    async def hold(_session: Session) -> str:
        entered.set()
        await opened.wait()
        return "kept"

    number = MAX_CONCURRENT_TRANSACTIONS + 3
    running = [asyncio.create_task(shared.run(hold, 30.0)) for _ in range(number)]
    await entered.wait()
    for runner in list(shared._runners):
        runner.cancel()
    opened.set()
    assert await asyncio.gather(*running) == ["kept"] * len(running)


class OneConflict:
    """A body that conflicts with another transaction at its first run."""

    def __init__(self) -> None:
        self._tries = 0

    async def __call__(self, _session: Session) -> str:
        self._tries += 1
        if self._tries > 1:
            return "kept"
        raise OperationFailure("a conflict", 112, {"errorLabels": ["TransientTransactionError"]})


async def test_time_waiting_for_conflicting_transactions_does_not_count(rig: Rig) -> None:
    mongo = rig.engine.mongo
    await mongo.conflict_lock.acquire()
    running = run_transaction(mongo, OneConflict(), TIMEOUT_S, queue_time_s=MAX_QUEUE_TIME_S)
    keeping = asyncio.create_task(running)
    assert await succeeds_after_waiting(keeping, mongo.conflict_lock.release)


async def test_waiting_time_counts_for_internal_transactions(rig: Rig) -> None:
    mongo = rig.engine.mongo
    await mongo.conflict_lock.acquire()
    running = asyncio.create_task(run_shielded_transaction(mongo, OneConflict(), TIMEOUT_S))
    done, _ = await asyncio.wait([running], timeout=10 * TIMEOUT_S)
    mongo.conflict_lock.release()
    assert done
    with pytest.raises(Contended):
        await running


class Bodies:
    """Two bodies: one writes an effect and fails when rerun; the other fails if it reads it."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._effects = mongo["effects"]
        self._has_run = False

    async def fail_when_rerun(self, session: Session) -> None:
        if self._has_run:
            raise ValueError("never kept")
        self._has_run = True
        inserting = self._effects.insert_one({"name": "once"}, session=session)
        await self._mongo.sessions.track(session, inserting)

    async def fail_if_visible(self, session: Session) -> str:
        finding = self._effects.find_one({"name": "once"}, session=session)
        if await self._mongo.sessions.track(session, finding):
            raise ValueError("found the write")
        return "kept"


async def test_failure_that_depends_on_an_aborted_write_is_rerun(rig: Rig) -> None:
    mongo = rig.engine.mongo
    shared, bodies = SharedTransactions(mongo, OutcomeStore(mongo)), Bodies(mongo)
    failed, kept = await asyncio.gather(
        shared.run(bodies.fail_when_rerun, 4.0),
        shared.run(bodies.fail_if_visible, 4.0),
        return_exceptions=True,
    )
    assert (str(failed), kept) == ("never kept", "kept")


async def test_conflicting_mutations_of_two_workers_succeed_at_the_first_attempt(
    batching_rig: Rig, fast_settings: Settings
) -> None:
    async with run_worker(fast_settings):
        jobs = await run_all(batching_rig, ["count"] * 150)
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}
    (counter,) = await batching_rig.all("counters")
    assert counter["value"] == 150
