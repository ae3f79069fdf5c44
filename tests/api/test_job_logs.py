"""Logs of jobs in the API: pages, and who may read them."""

from typing import Final

from ostinato.schema.ids import document_id, global_id
from tests.api.conftest import Client
from tests.live.writing import Writer

LOGS: Final = """query ($id: ID!, $first: Int, $after: String, $last: Int) {
  jobLogs(jobId: $id, first: $first, after: $after, last: $last) {
    nodes { seq } pageInfo { hasNextPage endCursor } } }"""
OF_JOBS: Final = "{ jobs { nodes { id logs(last: 1) { nodes { message } } } } }"


async def test_a_log_is_read_in_pages(ann: Client) -> None:
    writer = Writer(ann.context.engine.mongo)
    job = global_id("Job", job_id := await writer.job())
    await writer.lines(job_id, 1, 2, 3)
    page = await ann.get(LOGS, id=job, first=2)
    assert ([node["seq"] for node in page["nodes"]], page["pageInfo"]["hasNextPage"]) == (
        [1, 2],
        True,
    )
    rest = await ann.get(LOGS, id=job, after=page["pageInfo"]["endCursor"])
    assert [node["seq"] for node in rest["nodes"]] == [3]
    assert [node["seq"] for node in (await ann.get(LOGS, id=job, last=2))["nodes"]] == [2, 3]
    assert (await ann(LOGS, id=job, after="bGluZTo1OmFiYw")).paths == [["after"]]


async def test_logs_are_read_with_their_jobs_by_those_who_may_see_them(
    ann: Client, bob: Client, admin: Client
) -> None:
    writer = Writer(ann.context.engine.mongo)
    job_id = await writer.job()
    await writer.lines(job_id, 1, 2)
    for client in (ann, admin):
        (node,) = (await client.get(OF_JOBS))["nodes"]
        assert document_id(node["id"], "Job") == job_id
        assert node["logs"]["nodes"] == [{"message": "line 2"}]
    assert (await bob(LOGS, id=global_id("Job", job_id))).code == "NOT_FOUND"
