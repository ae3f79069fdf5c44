"""Trees of jobs in the API: reading one, and canceling what a job has led to."""

from typing import Final

from ostinato.jobs.ids import new_id
from ostinato.schema.ids import document_id
from tests.api.conftest import Client
from tests.api.documents import Documents

TREE: Final = """query ($rootId: ID!, $first: Int, $after: String) {
  jobTree(rootId: $rootId, first: $first, after: $after) {
    nodes { id rootId cause { id } } pageInfo { hasNextPage endCursor } } }"""
CANCEL: Final = """mutation ($id: ID!) {
  cancelJob(input: {jobId: $id}, cascade: true) {
    job { state } cascade { canceled isComplete } } }"""


async def insert_tree(documents: Documents) -> list[str]:
    """Insert a job, its child and grandchild, and return their global ids."""
    ids: list[str] = []
    for _ in range(3):
        parents = [document_id(each, "Job") for each in ids]
        cause = {"kind": "job", "id": parents[-1]} if parents else {"kind": "api"}
        root = {"rootId": parents[0]} if parents else {}
        ids.append(await documents.job(cause=cause, **root, _id=new_id()))
    return ids


async def test_a_tree_is_read_in_pages_oldest_first_by_those_who_may_see_its_jobs(
    ann: Client, bob: Client, documents: Documents
) -> None:
    first, *others = await insert_tree(documents)
    await documents.job()
    page = await ann.get(TREE, rootId=first, first=2)
    assert [node["id"] for node in page["nodes"]] == [first, others[0]]
    assert page["nodes"][1] == {"id": others[0], "rootId": first, "cause": {"id": first}}
    rest = await ann.get(TREE, rootId=first, after=page["pageInfo"]["endCursor"])
    assert [node["id"] for node in rest["nodes"]] == others[1:]
    assert (await bob.get(TREE, rootId=first))["nodes"] == []
    assert (await ann(TREE, rootId="x")).paths == [["rootId"]]


async def test_a_cascade_cancels_the_descendants_of_a_job_even_if_it_has_ended(
    ann: Client, bob: Client, documents: Documents
) -> None:
    first, second, _ = await insert_tree(documents)
    assert (await bob(CANCEL, id=first)).code == "NOT_FOUND"
    payload = await ann.get(CANCEL, id=second)
    assert payload == {
        "job": {"state": "CANCELED"}, "cascade": {"canceled": 1, "isComplete": True}
    }  # fmt: skip
    again = await ann.get(CANCEL, id=second)
    assert again["cascade"] == {"canceled": 0, "isComplete": True}
    everything = await ann.get(CANCEL, id=first)
    assert everything["job"]["state"] == "CANCELED"


async def test_a_cascade_is_recorded_with_its_job(
    ann: Client, admin: Client, documents: Documents
) -> None:
    first, *_ = await insert_tree(documents)
    await ann.get(CANCEL, id=first)
    await admin.context.engine.audit.close()
    log = await admin.get("{ auditLog { nodes { mutation input objectId } } }")
    assert log["nodes"] == [
        {"mutation": "cancelJob", "input": {"jobId": first, "cascade": True}, "objectId": first}
    ]
