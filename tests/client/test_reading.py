"""The Python client reads and changes jobs and failures, for one owner or for all."""

from datetime import timedelta
from typing import assert_type

import pytest

from ostinato import Call, JobHandle, Ostinato
from ostinato.jobs.audit import AuditFilter
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.errors import BadRequest, NotFound, PreconditionFailed, Unavailable
from ostinato.jobs.filters import FailureFilter, FailureState, JobFilter, JobOrder
from ostinato.jobs.records import Failure, Job, JobState, Json
from ostinato.jobs.settings import Settings
from tests.client.functions import clean_up, double, record
from tests.engine.functions import fail_with
from tests.engine.proxy import proxied
from tests.processes import eventually

HOUR = timedelta(hours=1)
WITHIN = timedelta(seconds=60)
UNKNOWN = "0" * 24


async def schedule_for(app: Ostinato, owner: str | None) -> Job:
    return (await app.schedule(double, {"number": 1}, owner=owner, run_after=HOUR)).job


async def test_handle_has_the_type_of_the_function(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, run_after=HOUR)
    assert_type(handle, JobHandle[int])
    assert_type(await app.schedule("functions.double", {"number": 1}), JobHandle[Json])
    assert handle.id == (await app.get(handle.id)).id


@pytest.mark.parametrize("later", [False, True])
async def test_failure_that_a_function_recorded_is_read(
    app: Ostinato, worker: None, later: bool
) -> None:
    handle = await app.schedule(record, {"later": later}, owner="alice")
    await handle.result(WITHIN)

    async def read() -> Failure | None:
        return await app.recorded_failure(handle.id, owner="alice")

    recorded = await eventually(read)
    assert recorded is not None
    assert (recorded.recorded_by_id, recorded.error.message) == (handle.id, "it broke")
    with pytest.raises(NotFound):
        await app.recorded_failure(handle.id, owner="bob")


@pytest.mark.parametrize("verb", ["get", "cancel", "retry"])
async def test_job_of_another_owner_is_not_found(app: Ostinato, verb: str) -> None:
    job, call = await schedule_for(app, "alice"), getattr(app, verb)
    with pytest.raises(NotFound) as unknown:
        await call(UNKNOWN, owner="bob")
    with pytest.raises(NotFound) as other:
        await call(job.id, owner="bob")
    assert str(unknown.value) == str(other.value)


async def test_canceled_job_is_retried(app: Ostinato, worker: None) -> None:
    job = await schedule_for(app, "alice")
    assert (await app.cancel(job.id, owner="alice")).state is JobState.CANCELED
    with pytest.raises(PreconditionFailed):
        await app.cancel(job.id)
    assert (await app.retry(job.id, owner="alice")).state is JobState.PENDING
    assert await app.handle(job).result(WITHIN) == 2


async def test_jobs_are_listed_in_pages(app: Ostinato) -> None:
    calls = [Call(double, {"number": n}, owner="alice", run_after=n * HOUR) for n in range(5)]
    ids = [each.id for each in await app.schedule_many(calls)]
    await schedule_for(app, "bob")
    await app.schedule(clean_up, owner="alice")
    first = await app.jobs(owner="alice", order=JobOrder.SCHEDULED_ASC, first=3)
    rest = await app.jobs(owner="alice", order=JobOrder.SCHEDULED_ASC, after=first.items[-1])
    assert [job.id for job in (*first.items, *rest.items)] == ids
    assert (first.has_next, rest.has_next) == (True, False)


async def test_jobs_of_all_owners_are_listed_newest_first(app: Ostinato) -> None:
    jobs = [await schedule_for(app, owner) for owner in ("alice", "bob", None)]
    page = await app.jobs(first=2)
    rest = await app.jobs(first=2, after=page.items[-1])
    assert [job.id for job in (*page.items, *rest.items)] == [job.id for job in reversed(jobs)]


async def test_filter_selects_jobs(app: Ostinato) -> None:
    job = await schedule_for(app, None)
    await app.schedule(fail_with, {"message": "x"}, run_after=HOUR)
    found = await app.jobs(JobFilter(function_name="functions.double"))
    assert [each.id for each in found.items] == [job.id]


@pytest.mark.parametrize("first", [0, 1_001])
async def test_size_of_a_page_is_limited(app: Ostinato, first: int) -> None:
    with pytest.raises(BadRequest, match=f"first must be 1 to 1,000, got {first}"):
        await app.jobs(first=first)
    with pytest.raises(BadRequest, match="first"):
        await app.failures(first=first)


@pytest.mark.parametrize("number", [0, 101])
async def test_number_of_ids_of_a_filter_is_limited(app: Ostinato, number: int) -> None:
    which = JobFilter(ids=(UNKNOWN,) * number)
    reads = [app.jobs(which), app.count_jobs(which), anext(app.changes(which))]
    changes = [app.cancel_jobs(which), app.retry_jobs(which)]
    changes.append(app.reschedule_jobs(which, run_after=HOUR))
    for call in (*reads, *changes):
        with pytest.raises(BadRequest, match=f"ids must have 1 to 100 ids, got {number}") as error:
            await call
        assert error.value.issues[0].path == ("ids",)
    assert not (await app.jobs(JobFilter(ids=(UNKNOWN,) * 100))).items


async def test_failure_is_resolved_by_its_owner(app: Ostinato, worker: None) -> None:
    job = (await app.schedule(fail_with, {"message": "x"}, owner="alice")).job
    failure = await eventually(lambda: _first_failure(app))
    assert failure is not None
    assert failure.job_id == job.id
    with pytest.raises(NotFound):
        await app.resolve(failure.id, owner="bob")
    resolved = await app.resolve(failure.id, owner="alice")
    assert resolved.resolved_at is not None
    assert (await app.failures()).items == ()
    assert (await app.failures(FailureFilter(states=(FailureState.RESOLVED,)))).items == (resolved,)
    with pytest.raises(PreconditionFailed):
        await app.resolve(failure.id)
    assert (await app.get(job.id)).purge_at is not None


async def _first_failure(app: Ostinato) -> Failure | None:
    return next(iter((await app.failures(owner="alice")).items), None)


async def test_start_without_mongodb_names_the_setting_to_correct(settings: Settings) -> None:
    url = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100"
    with pytest.raises(Unavailable, match=r"does not answer .* correct OSTINATO_MONGO_URL"):
        await Ostinato.open(settings, mongo_url=url).__aenter__()


async def test_outage_of_mongodb_is_reported_as_unavailable(client_settings: Settings) -> None:
    base = client_settings.mongo_url.partition("?")[0]
    async with (
        proxied(f"{base}?directConnection=true") as proxy,
        Ostinato.open(client_settings, mongo_url=proxy.url) as app,
    ):
        job = await schedule_for(app, None)
        proxy.cut()
        with pytest.raises(Unavailable):
            await app.get(job.id)


async def test_revocations_of_tokens_are_paged_and_deleted(app: Ostinato) -> None:
    one = await app.revoke_token("t1")
    user = await app.revoke_tokens("eve")
    newest = await app.token_revocations(first=1)
    rest = await app.token_revocations(after=newest.items[0])
    assert {each.id for each in (*newest.items, *rest.items)} == {one.id, user.id}
    assert (one.revoked_by, user.subject, newest.has_next) == ("(application)", "eve", True)
    await app.delete_revocation(one.id)
    assert [each.id for each in (await app.token_revocations()).items] == [user.id]


async def test_audit_log_is_paged_and_filtered(app: Ostinato) -> None:
    await app.suspend_owner("eve")
    await app.resume_owner("eve")
    await app.engine.audit.close()
    [newest] = (await app.audit_log(first=1)).items
    [older] = (await app.audit_log(after=newest)).items
    assert (newest.mutation, older.mutation) == ("resumeOwner", "suspendOwner")
    suspended = await app.audit_log(AuditFilter(mutation="suspendOwner"))
    assert [each.id for each in suspended.items] == [older.id]


async def test_jobs_are_counted_by_state(app: Ostinato) -> None:
    for owner in ("alice", "alice", "bob"):
        await schedule_for(app, owner)
    assert (await app.job_totals(owner="alice")).pending_scheduled == 2
    assert (await app.job_totals()).pending_scheduled == 3
