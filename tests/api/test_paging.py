"""Paging: cursors, page arguments, and paging while documents are inserted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.ids import new_id
from ostinato.jobs.paging import PagePosition, Window, build_page
from ostinato.jobs.records import Job
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import BY_ID, PageRequest, decode_page_cursor, encode_page_cursor
from ostinato.schema.types.job import cursor_order, job_connection
from tests.api.documents import Documents
from tests.malformed import DUE

INSTANTS = st.datetimes(timezones=st.just(UTC)).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
EVERYTHING = JobFilter(internal=None)
FEW_EXAMPLES = settings(
    max_examples=25,
)


@given(INSTANTS)
def test_a_cursor_is_decoded_to_its_position(instant: datetime) -> None:
    position = PagePosition(id=new_id(), instant=instant)
    assert (
        decode_page_cursor("scheduledAsc", encode_page_cursor("scheduledAsc", position)) == position
    )


@given(st.text(max_size=60))
def test_other_text_is_not_a_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="must be a cursor of this list"):
        decode_page_cursor(BY_ID, text)


def test_a_cursor_of_another_order_is_rejected() -> None:
    cursor = encode_page_cursor("scheduledAsc", PagePosition(id=new_id(), instant=DUE))
    with pytest.raises(ValueError, match="in this order"):
        decode_page_cursor(BY_ID, cursor)


def test_a_cursor_whose_fields_do_not_match_its_order_is_rejected() -> None:
    for order, position in (
        (BY_ID, PagePosition(id=new_id(), instant=DUE)),
        ("scheduledAsc", PagePosition(id=new_id())),
    ):
        with pytest.raises(ValueError, match="must be a cursor of this list"):
            decode_page_cursor(order, encode_page_cursor(order, position))


def test_a_cursor_with_a_time_out_of_range_is_rejected() -> None:
    cursor = encode_page_cursor("scheduledAsc", PagePosition(id=new_id(), instant=DUE))
    forged = encode_page_cursor("scheduledAsc:9" + "9" * 30, PagePosition(id=new_id()))
    assert decode_page_cursor("scheduledAsc", cursor).instant == DUE
    with pytest.raises(ValueError, match="must be a cursor"):
        decode_page_cursor("scheduledAsc", forged)


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"first": 0}, ["first"]),
        ({"first": 101}, ["first"]),
        ({"last": -1}, ["last"]),
        ({"first": 1, "last": 1}, ["last"]),
        ({"after": "x"}, ["after"]),
        (
            {"first": 0, "last": 500, "after": "x", "before": ""},
            ["first", "last", "last", "after", "before"],
        ),
    ],
)
def test_invalid_paging_arguments_are_reported_as_issues(
    arguments: dict[str, Any], paths: list[str]
) -> None:
    with pytest.raises(BadRequest) as caught:
        PageRequest(**arguments).window()
    assert [issue.path[0] for issue in caught.value.issues] == paths


def test_a_page_has_20_items_by_default() -> None:
    assert PageRequest().window() == Window(limit=20)
    assert PageRequest(last=3).window() == Window(limit=3, backward=True)


def test_an_additional_item_indicates_another_page() -> None:
    page = build_page([3, 2, 1], Window(limit=2, backward=True))
    assert (page.items, page.has_next, page.has_previous) == ((2, 3), False, True)
    page = build_page([1, 2], Window(limit=2, after=PagePosition(id="x")))
    assert (page.items, page.has_next, page.has_previous) == ((1, 2), False, True)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Reads all pages of ann's jobs while jobs are inserted."""

    order: JobOrder
    size: int
    backward: bool
    inserted_minutes: list[int]
    """A job due in one of these minutes is inserted before each page."""

    async def run(self, engine: Engine) -> list[Job]:
        found: list[Job] = []
        cursor: str | None = None
        minutes = list(self.inserted_minutes)
        while True:
            if minutes:
                await _insert(engine, [minutes.pop()])
            window = self._request(cursor).window(cursor_order(self.order))
            page = await engine.reads.find_job_page("ann", EVERYTHING, self.order, window)
            found = [*page.items, *found] if self.backward else [*found, *page.items]
            info = job_connection(page, self.order).page_info
            cursor = info.start_cursor if self.backward else info.end_cursor
            if not (info.has_previous_page if self.backward else info.has_next_page):
                return found

    def _request(self, cursor: str | None) -> PageRequest:
        if self.backward:
            return PageRequest(last=self.size, before=cursor)
        return PageRequest(first=self.size, after=cursor)


async def _insert(engine: Engine, minutes: list[int]) -> set[str]:
    documents = Documents(engine.mongo)
    return {
        await documents.job("ann", scheduledTime=DUE + timedelta(minutes=minute))
        for minute in minutes
    }


MINUTES = st.lists(st.integers(0, 3), max_size=12)


WALKS = st.builds(
    Walk,
    order=st.sampled_from(JobOrder),
    size=st.integers(1, 5),
    backward=st.booleans(),
    inserted_minutes=MINUTES,
)


@FEW_EXAMPLES
@given(MINUTES, WALKS)
async def test_paging_returns_each_job_once_and_in_order_despite_inserts(
    engine: Engine, minutes: list[int], walk: Walk
) -> None:
    await engine.mongo["jobs"].delete_many({})
    before = await _insert(engine, minutes)
    walked = await walk.run(engine)
    ids = [global_id("Job", job.id) for job in walked]
    assert before <= set(ids)
    assert len(set(ids)) == len(ids)
    assert walked == sorted(walked, key=_KEYS[walk.order], reverse=walk.order in _DESCENDING)


_DESCENDING = (JobOrder.NEWEST, JobOrder.SCHEDULED_DESC)
_KEYS: dict[JobOrder, Any] = {
    JobOrder.NEWEST: lambda job: job.id,
    JobOrder.OLDEST: lambda job: job.id,
    JobOrder.SCHEDULED_ASC: lambda job: (job.scheduled_time, job.id),
    JobOrder.SCHEDULED_DESC: lambda job: (job.scheduled_time, job.id),
}


async def test_a_page_between_two_cursors_has_the_items_between_them(
    engine: Engine, documents: Documents
) -> None:
    for _ in range(5):
        await documents.job()
    jobs = (await _page(engine, Window(limit=5))).items
    after, before = PagePosition(id=jobs[0].id), PagePosition(id=jobs[4].id)
    for backward in (False, True):
        window = Window(limit=9, backward=backward, after=after, before=before)
        assert (await _page(engine, window)).items == jobs[1:4]


async def _page(engine: Engine, window: Window) -> Any:
    return await engine.reads.find_job_page("ann", JobFilter(), JobOrder.NEWEST, window)
