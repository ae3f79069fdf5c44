"""What functions log is kept with their job, within limits, and deleted with it."""

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.job_logs import MAX_BYTES, MAX_LINES, LogLine, position_from
from ostinato.jobs.maintenance.sweeper import build_sweeps
from ostinato.jobs.paging import Window
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.settings import Settings
from tests.engine.functions import gate
from tests.engine.rig import Rig, running_worker, start_workers
from tests.processes import Processes, eventually


async def stored_lines(engine: Engine, job_id: str, limit: int = 2_000) -> Sequence[LogLine]:
    return (await engine.reads.find_log_page(job_id, Window(limit=limit))).items


async def lines_of(rig: Rig, job_id: str, number: int) -> Sequence[LogLine]:
    """Return the lines of a job once so many are stored."""

    async def stored() -> Sequence[LogLine]:
        found = await stored_lines(rig.engine, job_id)
        return found if len(found) >= number else ()

    return await eventually(stored)


async def test_lines_of_all_attempts_are_kept_with_their_levels_and_fields(rig: Rig) -> None:
    job = await rig.run("log_and_fail")
    lines = await lines_of(rig, job["_id"], 2)
    kept = [(line.attempt, line.seq, line.level, line.message, line.fields) for line in lines]
    fields = {"order": 7, "exception": "ValueError: no paper"}
    assert kept == [(n, 1, "error", "print failed", fields) for n in (1, 2)]


async def test_lines_of_threads_and_called_mutations_are_kept_and_logged(rig: Rig) -> None:
    with capture_logs() as logged:
        job = await rig.run("log_in_threads")
    lines = await lines_of(rig, job["_id"], 3)
    assert [line.message for line in lines] == ["from.thread", "from.thread", "from.mutation"]
    of_job = [line for line in logged if line.get("job_id") == job["_id"]]
    assert [line["event"] for line in of_job] == [line.message for line in lines]


async def test_lines_are_stored_while_the_job_runs(rig: Rig) -> None:
    job_id = await rig.schedule("log_lines", number=2, pause=True)
    assert [line.seq for line in await lines_of(rig, job_id, 1)] == [1]
    gate.opened.set()
    assert [line.seq for line in await lines_of(rig, job_id, 2)] == [1, 2]


async def test_a_job_that_logs_nothing_writes_nothing(rig: Rig) -> None:
    await rig.run("echo")
    assert await rig.all("jobLogs") == []


@pytest.mark.parametrize(("number", "letters"), [(2_500, 1), (1_200, 900)])
async def test_the_newest_lines_of_a_job_are_kept_within_its_limits(
    rig: Rig, number: int, letters: int
) -> None:
    job = await rig.run("log_lines", number=number, letters=letters)
    await rig.wait_until(lambda: last_line_is(rig, job["_id"], number))
    batches = await rig.all("jobLogs")
    assert sum(batch["count"] for batch in batches) <= MAX_LINES
    assert sum(batch["bytes"] for batch in batches) <= MAX_BYTES
    kept = [line.seq for line in await stored_lines(rig.engine, job["_id"])]
    assert kept == list(range(number - len(kept) + 1, number + 1))
    assert len(kept) > 150


async def last_line_is(rig: Rig, job_id: str, number: int) -> bool:
    page = await rig.engine.reads.find_log_page(job_id, Window(limit=1, backward=True))
    return bool(page.items) and page.items[0].seq == number


async def test_pages_of_a_log_have_each_line_once_in_both_directions(rig: Rig) -> None:
    job = await rig.run("log_lines", number=250)
    lines = await lines_of(rig, job["_id"], 250)
    for backward in (False, True):
        found: list[LogLine] = []
        window: Window | None = Window(limit=90, backward=backward)
        while window is not None:
            page = await rig.engine.reads.find_log_page(job["_id"], window)
            found = [*page.items, *found] if backward else [*found, *page.items]
            window = next_window(page, backward)
        assert found == list(lines)


def next_window(page: Any, backward: bool) -> Window | None:
    if backward:
        place = page.items[0].position.place()
        return Window(limit=90, backward=True, before=place) if page.has_previous else None
    place = page.items[-1].position.place()
    assert position_from(place) == page.items[-1].position
    return Window(limit=90, after=place) if page.has_next else None


async def test_logs_count_as_stored_bytes_and_lines_beyond_the_quota_are_dropped(
    fast_settings: Settings,
) -> None:
    limited = fast_settings.model_copy(update={"quota_stored_bytes": 40_000})
    async with running_worker(limited) as worker:
        rig = Rig(worker.engine)
        job = await rig.run("log_lines", number=300, letters=500)
        await worker.executor.wait_until_idle()
        kept = await stored_lines(rig.engine, job["_id"])
        used = {one.kind: one.used for one in await rig.engine.quotas.read("alice")}
    assert (job["state"], 0 < len(kept) < 100) == ("success", True)
    assert used[QuotaKind.STORED_BYTES] > 20_000


async def test_logs_are_deleted_after_their_job(rig: Rig) -> None:
    kept, purged = await rig.run("log_lines", number=1), await rig.run("log_lines", number=1)
    await lines_of(rig, kept["_id"], 1)
    await lines_of(rig, purged["_id"], 1)
    await rig.engine.mongo["jobs"].delete_one({"_id": purged["_id"]})
    await build_sweeps(rig.engine)["job_logs"]()
    assert await stored_lines(rig.engine, purged["_id"]) == ()
    assert len(await stored_lines(rig.engine, kept["_id"])) == 1


async def test_a_killed_worker_loses_only_lines_that_are_not_stored_yet(
    rig_without_worker: Rig, processes: Processes
) -> None:
    rig = rig_without_worker
    (worker,) = await start_workers(rig, processes)
    job_id = await rig.schedule("log_lines", number=2, pause=True)
    assert len(await lines_of(rig, job_id, 1)) == 1
    worker.popen.kill()
    await rig.wait_until(lambda: worker.exit_code is not None)
    assert [line.seq for line in await stored_lines(rig.engine, job_id)] == [1]


async def test_a_malformed_batch_is_left_out(rig: Rig) -> None:
    job = await rig.run("log_lines", number=250)
    await lines_of(rig, job["_id"], 250)
    first, second, _ = await rig.all("jobLogs")
    await rig.engine.mongo["jobLogs"].update_one({"_id": first["_id"]}, {"$set": {"lines": 5}})
    broken = {"$set": {"lines.3.level": "loud"}}
    await rig.engine.mongo["jobLogs"].update_one({"_id": second["_id"]}, broken)
    assert [line.seq for line in await stored_lines(rig.engine, job["_id"])] == [*range(201, 251)]
