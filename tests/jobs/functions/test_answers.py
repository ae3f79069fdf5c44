"""Answers of persons to requests: of an answer and a timeout one wins, and late ones are kept."""

import asyncio
from collections.abc import Awaitable, Callable
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
from ostinato.jobs.records import JobError, JobState, Request, RequestState
from tests.jobs.functions.pattern_rig import DAY, MINUTE, SECOND, PatternRig
from tests.jobs.functions.work import answer, gate
from tests.processes import eventually

End = Callable[[PatternRig, Request], Awaitable[Request]]

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


END: Final[dict[str, End]] = {
    "completed": lambda rig, request: give(rig, request, YES),
    "failed": lambda rig, request: give(rig, request, NO),
    "canceled": lambda rig, request: cancel(rig, request),
}


async def extend_by_a_second(rig: PatternRig, request: Request) -> Request:
    return await extend(rig, request, SECOND)


async def test_result_completes_a_request(rig_without_worker: PatternRig) -> None:
    found = await give(rig_without_worker, await create(rig_without_worker))
    assert (found.state, found.result) == (RequestState.COMPLETED, {"approved": True})
    assert (found.answered_by, found.error, found.late_answer) == ("alice", None, None)


async def test_rejection_fails_a_request(rig_without_worker: PatternRig) -> None:
    found = await give(rig_without_worker, await create(rig_without_worker), NO)
    assert (found.state, found.result, found.answered_by) == (RequestState.FAILED, None, "root")
    assert found.error == JobError(name="Rejected", message="too expensive")


async def test_request_that_has_ended_does_not_change(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    for state, end in END.items():
        ended = await end(rig, await create(rig))
        assert ended.state == state
        for again in (*END.values(), extend_by_a_second):
            with pytest.raises(PreconditionFailed, match=f"already ended: it is {state}"):
                await again(rig, ended)
        assert not await time_out(rig, ended)
        assert await read(rig, ended) == ended
    assert set(await states_of_jobs(rig)) == {JobState.CANCELED}


async def test_request_of_another_owner_is_not_found(rig_without_worker: PatternRig) -> None:
    request = await create(rig_without_worker)
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(
            lambda ctx: answer_request(ctx, request.id, YES), "bob"
        )


async def test_first_answer_after_the_timeout_is_kept_as_late(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    request = await create(rig)
    await rig.engine.advance(MINUTE)
    assert await time_out(rig, request)
    found = await give(rig, request, NO)
    assert (found.state, found.result, found.error) == (RequestState.TIMEOUT, None, None)
    late = found.late_answer
    assert late is not None
    assert (late.by, late.error) == ("root", JobError(name="Rejected", message="too expensive"))
    assert late.at >= request.timeout_at
    with pytest.raises(PreconditionFailed, match="already has a late answer"):
        await give(rig, request)


async def test_answer_is_late_although_the_timeout_job_has_not_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    request = await create(rig)
    await rig.engine.advance(MINUTE)
    for change in (cancel(rig, request), extend(rig, request, MINUTE)):
        with pytest.raises(PreconditionFailed, match="timed out at 20"):
            await change
    ended = await give(rig, request, Answer(result={"$ref": [1]}))
    assert (ended.state, ended.result) == (RequestState.TIMEOUT, None)
    found = (await rig.engine.reads.find_by_ids(Request, [request.id], None))[request.id]
    assert isinstance(found, Request)
    assert found.late_answer is not None
    assert found.late_answer.result == {"$ref": [1]}
    assert not await time_out(rig, request)


async def test_extended_request_times_out_at_its_new_time(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    request = await create(rig)
    extended = await extend(rig, request, 5 * MINUTE)
    old, new = await rig.jobs()
    assert (old.state, new.state) == (JobState.CANCELED, JobState.PENDING)
    assert new.scheduled_time == extended.timeout_at
    await rig.engine.advance(MINUTE)
    assert not await time_out(rig, request)  # a job of the old time that was already running
    until = extended.timeout_at - timedelta(minutes=1)
    assert (await extend(rig, request, until=until)).timeout_at == until
    await rig.engine.advance(4 * MINUTE)
    assert await time_out(rig, request)


@pytest.mark.parametrize(
    ("timeout_ms", "days", "path"),
    [
        *[(0, None, "timeoutMs"), (366 * DAY, None, "timeoutMs"), (None, None, "timeoutMs")],
        *[(None, -1, "until"), (None, 400, "until"), (1, 1, "timeoutMs")],
    ],
)
async def test_new_timeout_is_1_ms_to_a_year_from_now(
    rig_without_worker: PatternRig, timeout_ms: int | None, days: int | None, path: str
) -> None:
    request = await create(rig_without_worker)
    until = None if days is None else request.created_at + timedelta(days=days)
    with pytest.raises(BadRequest) as raised:
        await extend(rig_without_worker, request, timeout_ms, until)
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
    for _ in range(races // TOGETHER):
        for found, was_timed_out in await race(rig_without_worker):
            is_late = found.state is RequestState.TIMEOUT
            assert is_late or found.state is RequestState.COMPLETED
            assert is_late == (found.late_answer is not None) == (found.result is None)
            assert found.version == (3 if was_timed_out else 2)
            assert is_late or not was_timed_out


async def race(rig: PatternRig) -> list[tuple[Request, bool]]:
    """Answer some requests while they time out; return each, and whether its timeout won."""
    requests = await asyncio.gather(*(create(rig, SECOND) for _ in range(TOGETHER)))
    answers = [asyncio.create_task(give(rig, each)) for each in requests]
    await asyncio.wait(answers, timeout=0)
    await rig.engine.advance(SECOND)
    timed_out = await asyncio.gather(*(time_out(rig, each) for each in requests))
    answered = await asyncio.gather(*answers)
    stored = await rig.engine.reads.find_by_ids(Request, [each.id for each in requests], None)
    assert {each.id: each for each in answered} == stored
    return list(zip(answered, timed_out, strict=True))
