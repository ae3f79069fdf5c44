"""Paging: cursors and windows as values, then over real collections that change underneath."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.engine import Engine
from jobs.errors import BadRequest
from jobs.filters import JobFilter, JobOrder
from jobs.ids import new_id
from jobs.mongo import reading
from jobs.paging import Position, Window, cut
from jobs.records import Job
from schema.pagination import BY_ID, PageRequest, read_cursor, write_cursor
from schema.types.job import cursor_order, job_connection
from tests.api.documents import DUE, Documents

INSTANTS = st.datetimes(timezones=st.just(UTC)).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
EVERYTHING = JobFilter(internal=None)
REAL = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(INSTANTS)
def test_a_cursor_keeps_its_place(instant: datetime) -> None:
    place = Position(id=new_id(), instant=instant)
    assert read_cursor("scheduledAsc", write_cursor("scheduledAsc", place)) == place


@given(st.text(max_size=60))
def test_anything_else_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="must be a cursor of this list"):
        read_cursor(BY_ID, text)


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = write_cursor("scheduledAsc", Position(id=new_id(), instant=DUE))
    with pytest.raises(ValueError, match="in this order"):
        read_cursor(BY_ID, cursor)


def test_a_cursor_far_outside_the_calendar_is_refused() -> None:
    cursor = write_cursor("scheduledAsc", Position(id=new_id(), instant=DUE))
    forged = write_cursor("scheduledAsc:9" + "9" * 30, Position(id=new_id()))
    assert read_cursor("scheduledAsc", cursor).instant == DUE
    with pytest.raises(ValueError, match="must be a cursor"):
        read_cursor("scheduledAsc", forged)


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"first": 0}, ["first"]),
        ({"first": 101}, ["first"]),
        ({"last": -1}, ["last"]),
        ({"first": 1, "last": 1}, ["last"]),
        ({"after": "x"}, ["after"]),
        ({"first": 0, "last": 500, "after": "x", "before": ""}, ["first", "last", "last", "after", "before"]),
    ],
)
def test_bad_paging_arguments_are_issues(given: dict[str, Any], paths: list[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        PageRequest(**given).window()
    assert [issue.path[0] for issue in caught.value.issues] == paths


def test_a_page_has_20_unless_said_otherwise() -> None:
    assert PageRequest().window() == Window(limit=20)
    assert PageRequest(last=3).window() == Window(limit=3, backward=True)


def test_one_item_past_the_limit_tells_that_there_are_more() -> None:
    page = cut([3, 2, 1], Window(limit=2, backward=True))
    assert (page.items, page.has_next, page.has_previous) == ((2, 3), False, True)
    page = cut([1, 2], Window(limit=2, after=Position(id="x")))
    assert (page.items, page.has_next, page.has_previous) == ((1, 2), False, True)


async def _walk(
    engine: Engine, order: JobOrder, size: int, backward: bool, extra: list[int]
) -> list[Job]:
    """Read all pages; before each, a job is inserted for an entry of `extra`."""
    found: list[Job] = []
    cursor: str | None = None
    while True:
        if extra:
            await _insert(engine, [extra.pop()])
        paging = (
            PageRequest(last=size, before=cursor) if backward else PageRequest(first=size, after=cursor)
        )
        window = paging.window(cursor_order(order))
        page = await reading.job_page(engine.mongo, "ann", EVERYTHING, order, window)
        found = [*page.items, *found] if backward else [*found, *page.items]
        info = job_connection(page, order).page_info
        cursor = info.start_cursor if backward else info.end_cursor
        if not (info.has_previous_page if backward else info.has_next_page):
            return found


async def _insert(engine: Engine, minutes: list[int]) -> set[str]:
    documents = Documents(engine.mongo)
    return {
        await documents.job("ann", scheduledTime=DUE + timedelta(minutes=minute))
        for minute in minutes
    }


MINUTES = st.lists(st.integers(0, 3), max_size=12)


@REAL
@given(MINUTES, st.sampled_from(JobOrder), st.integers(1, 5), st.booleans(), MINUTES)
async def test_paging_visits_each_job_once_in_order_while_others_come(
    engine: Engine, minutes: list[int], order: JobOrder, size: int, backward: bool, extra: list[int]
) -> None:
    await engine.mongo["jobs"].delete_many({})
    await _insert(engine, minutes)
    before = {found["_id"] async for found in engine.mongo["jobs"].find({}, {"_id": 1})}
    walked = await _walk(engine, order, size, backward, list(extra))
    ids = [job.id for job in walked]
    assert before <= set(ids)
    assert len(set(ids)) == len(ids)
    assert walked == sorted(walked, key=_KEYS[order], reverse=order in _DESCENDING)


_DESCENDING = (JobOrder.NEWEST, JobOrder.SCHEDULED_DESC)
_KEYS: dict[JobOrder, Any] = {
    JobOrder.NEWEST: lambda job: job.id,
    JobOrder.OLDEST: lambda job: job.id,
    JobOrder.SCHEDULED_ASC: lambda job: (job.scheduled_time, job.id),
    JobOrder.SCHEDULED_DESC: lambda job: (job.scheduled_time, job.id),
}


async def test_a_page_between_two_cursors_is_what_lies_between(
    engine: Engine, documents: Documents
) -> None:
    for _ in range(5):
        await documents.job()
    every = (await _page(engine, Window(limit=5))).items
    ends = {"after": Position(id=every[0].id), "before": Position(id=every[4].id)}
    for window in (Window(limit=9, **ends), Window(limit=9, backward=True, **ends)):
        assert (await _page(engine, window)).items == every[1:4]


async def _page(engine: Engine, window: Window) -> Any:
    return await reading.job_page(engine.mongo, "ann", JobFilter(), JobOrder.NEWEST, window)

