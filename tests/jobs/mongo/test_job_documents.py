"""The documents of many new jobs, which share the work of building them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.ids import reproducible_ids
from ostinato.jobs.mongo.job_documents import build_job_document, build_job_documents
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind
from ostinato.jobs.registry import NamedFunction
from ostinato.jobs.retry import Retry

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
FUNCTIONS = (NamedFunction(name="a.one"), NamedFunction(name="a.two", retry=Retry(retries=3)))
CAUSES = (Cause(kind=CauseKind.API), Cause(kind=CauseKind.CRON, id="c"))

new_jobs = st.builds(
    NewJob,
    function=st.sampled_from(FUNCTIONS),
    args=st.sampled_from(({}, {"n": 1})),
    owner=st.sampled_from((None, "alice")),
    cause=st.sampled_from(CAUSES),
    scheduled_time=st.integers(0, 3).map(lambda hours: NOW + timedelta(hours=hours)),
    key=st.sampled_from((None, None, "k")),
    tick=st.sampled_from((None, None, {"cronId": "c"})),
    queue=st.sampled_from(("default", "mail")),
    priority=st.sampled_from((0, 9)),
    tags=st.sampled_from(((), ("x",))),
    timeout_ms=st.sampled_from((None, 5)),
    traceparent=st.sampled_from((None, "00-1")),
    root_id=st.sampled_from((None, "r")),
    canceled=st.sampled_from((False, False, True)),
)
similar_jobs = st.builds(
    NewJob,
    function=st.just(FUNCTIONS[1]),
    args=st.dictionaries(st.sampled_from("ab"), st.integers(0, 9)),
    owner=st.sampled_from((None, "alice", "bob")),
    cause=st.just(CAUSES[0]),
    scheduled_time=st.integers(0, 3).map(lambda hours: NOW + timedelta(hours=hours)),
    tags=st.just(("x",)),
)


@pytest.mark.parametrize("external", [False, True])
@given(jobs=st.one_of(st.lists(new_jobs, max_size=6), st.lists(similar_jobs, max_size=6)))
def test_documents_built_together_are_those_built_alone(jobs: list[NewJob], external: bool) -> None:
    def alone() -> list[dict[str, Any]]:
        return [build_job_document(new, NOW, 9, external=external) for new in jobs]

    with reproducible_ids("abcdef", lambda: 1):
        expected = alone()
    with reproducible_ids("abcdef", lambda: 1):
        together = build_job_documents(jobs, NOW, 9, external=external)
    assert together == expected
    assert [[*document] for document in together] == [[*document] for document in expected]
