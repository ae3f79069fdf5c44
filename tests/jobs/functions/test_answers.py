"""Answers of persons to requests: of an answer and a timeout one wins, and late ones are kept."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

import pytest

from ostinato.jobs.documents import request_from
from ostinato.jobs.errors import BadRequest, NotFound, PreconditionFailed
from ostinato.jobs.functions.answers import (
    Answer,
    answer_request,
    cancel_request,
    extend_request,
)
from ostinato.jobs.functions.requests import create_with_timeout, repair_request, timeout
from ostinato.jobs.mongo.sweeps import OrphanFinder
from ostinato.jobs.records import JobState, Request, RequestState
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig
from tests.jobs.functions.work import answer, gate
from tests.processes import eventually

YES: Final = Answer(result={"approved": True}, by="alice")
NO: Final = Answer.rejection("too expensive", "root")
TOGETHER: Final = 25


async def create(rig: PatternRig, timeout_ms: int = MINUTE) -> Request:
    """Create a request that only a person answers."""
    return await rig.run_mutation(
        lambda ctx: create_with_timeout(ctx, "pay?", timeout_ms, run_handler=False)
    )


async def give(rig: PatternRig, request: Request, given: Answer = YES) -> Request:
    return await rig.run_mutation(lambda ctx: answer_request(ctx, request.id, given))


async def cancel(rig: PatternRig, request: Request) -> Request:
    return await rig.run_mutation(lambda ctx: cancel_request(ctx, request.id, "root"))


async def extend(
    rig: PatternRig,
    request: Request,
    timeout_ms: int | None = None,
    until: datetime | None = None,
) -> Request:
    return await rig.run_mutation(lambda ctx: extend_request(ctx, request.id, timeout_ms, until))


async def read(rig: PatternRig, request: Request) -> Request:
    return request_from(await rig.find_one("requests", _id=request.id))


async def time_out(rig: PatternRig, request: Request) -> bool:
    """Run the body of the timeout job."""
    return await rig.run_mutation(lambda ctx: timeout(ctx, request.id))


async def states_of_jobs(rig: PatternRig) -> list[JobState]:
    return [job.state for job in await rig.jobs()]


async def test_answer_ends_a_request_once_and_cancels_its_timeout(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    completed = await give(rig, await create(rig))
    assert (completed.state, completed.result, completed.answered_by, completed.error) == (
        *(RequestState.COMPLETED, {"approved": True}, "alice", None),
    )
    rejected = await give(rig, await create(rig), NO)
    assert (rejected.state, rejected.result, rejected.answered_by) == ("failed", None, "root")
    assert rejected.error is not None
    assert (rejected.error.name, rejected.error.message) == ("Rejected", "too expensive")
    canceled = await cancel(rig, await create(rig))
    assert (canceled.state, canceled.answered_by) == (RequestState.CANCELED, "root")
    assert set(await states_of_jobs(rig)) == {JobState.CANCELED}
    for ended in (completed, rejected, canceled):
        for again in (YES, NO):
            with pytest.raises(PreconditionFailed, match=f"already ended: it is {ended.state}"):
                await give(rig, ended, again)
        with pytest.raises(PreconditionFailed):
            await cancel(rig, ended)
        with pytest.raises(PreconditionFailed):
            await extend(rig, ended, 1)
        assert not await time_out(rig, ended)
        assert await read(rig, ended) == ended
    with pytest.raises(NotFound):
        await rig.run_mutation(lambda ctx: answer_request(ctx, completed.id, YES), "bob")


async def test_first_late_answer_is_kept_and_the_request_stays_timed_out(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    request, overdue = await create(rig), await create(rig)
    await rig.engine.advance(MINUTE)
    assert await time_out(rig, request)
    late = await give(rig, request, NO)
    assert (late.state, late.result, late.error, late.answered_by) == ("timeout", None, None, None)
    assert late.late_answer is not None
    assert late.late_answer.error is not None
    assert (late.late_answer.by, late.late_answer.error.message) == ("root", "too expensive")
    assert late.late_answer.at >= request.timeout_at
    with pytest.raises(PreconditionFailed, match="already has a late answer"):
        await give(rig, request)
    # The timeout job has not run, but the time has passed.
    with pytest.raises(PreconditionFailed, match="timed out at 20"):
        await cancel(rig, overdue)
    with pytest.raises(PreconditionFailed, match="timed out at 20"):
        await extend(rig, overdue, MINUTE)
    ended = await give(rig, overdue, Answer(result={"$ref": [1]}))
    assert (ended.state, ended.result) == (RequestState.TIMEOUT, None)
    stored = await rig.engine.reads.find_by_ids(Request, [overdue.id], None)
    found = stored[overdue.id]
    assert isinstance(found, Request)
    assert found.late_answer is not None
    assert found.late_answer.result == {"$ref": [1]}
    assert not await time_out(rig, overdue)


async def test_extended_request_times_out_at_its_new_time(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    request = await create(rig)
    extended = await extend(rig, request, 5 * MINUTE)
    assert extended.timeout_at - request.timeout_at >= timedelta(minutes=4)
    old, new = await rig.jobs()
    assert (old.state, new.state) == (JobState.CANCELED, JobState.PENDING)
    assert new.scheduled_time == extended.timeout_at
    await rig.engine.advance(MINUTE)
    assert not await time_out(rig, request)  # a job of the old time that was already running
    until = extended.timeout_at - timedelta(minutes=1)
    sooner = await extend(rig, request, until=until)
    assert sooner.timeout_at == until
    await rig.engine.advance(4 * MINUTE)
    assert await time_out(rig, request)
    past, far = request.created_at, request.created_at + timedelta(days=400)
    wrong: list[tuple[int | None, datetime | None, str]] = [
        *[(0, None, "timeoutMs"), (366 * 24 * 60 * MINUTE, None, "timeoutMs")],
        *[(None, past, "until"), (None, far, "until")],
        *[(None, None, "timeoutMs"), (1, far, "timeoutMs")],
    ]
    for timeout_ms, at, path in wrong:
        with pytest.raises(BadRequest) as raised:
            await extend(rig, request, timeout_ms, at)
        assert raised.value.issues[0].path == (path,)


async def test_request_that_waits_for_a_person_is_no_orphan(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    request = await create(rig, 10 * MINUTE)
    await rig.engine.advance(MINUTE)
    orphans = OrphanFinder(rig.engine.mongo)
    assert await orphans.requests(await rig.engine.now()) == []
    assert not await rig.run_mutation(lambda ctx: repair_request(ctx, request.id))
    await rig.engine.advance(10 * MINUTE)
    assert [each.id for each in await orphans.requests(await rig.engine.now())] == [request.id]


async def test_answer_of_a_person_stops_the_handler(
    rig: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.engine.registry, "request_handler", answer)
    request = await rig.run_mutation(lambda ctx: create_with_timeout(ctx, 1, MINUTE))
    await gate.reached.wait()
    completed = await give(rig, request)
    await eventually(lambda: rig.jobs("requests.process", state="canceled"))
    await rig.wait_until_settled()
    assert await read(rig, request) == completed
    assert set(await states_of_jobs(rig)) == {JobState.CANCELED}


@pytest.mark.parametrize("races", [100, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_of_an_answer_and_a_timeout_exactly_one_wins(
    rig_without_worker: PatternRig, races: int
) -> None:
    rig, winners = rig_without_worker, Counter[str]()
    for _ in range(races // TOGETHER):
        requests = await asyncio.gather(*(create(rig, SECOND) for _ in range(TOGETHER)))
        answers = [asyncio.create_task(give(rig, each)) for each in requests]
        await asyncio.sleep(0)
        await rig.engine.advance(SECOND)
        timed_out = await asyncio.gather(*(time_out(rig, each) for each in requests))
        answered = await asyncio.gather(*answers)
        stored = await rig.engine.reads.find_by_ids(Request, [each.id for each in requests], None)
        for found, was_timed_out in zip(answered, timed_out, strict=True):
            winners[found.state] += 1
            is_late = found.state is RequestState.TIMEOUT
            assert found == stored[found.id]
            assert is_late == (found.late_answer is not None) == (found.result is None)
            assert found.version == (3 if was_timed_out else 2)
            assert is_late or not was_timed_out
    assert winners.total() == races
    assert winners.keys() <= {RequestState.COMPLETED, RequestState.TIMEOUT}
