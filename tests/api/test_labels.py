"""Tags of jobs and crons, and the filters by labels: key, tags, creation time, owner."""

from datetime import timedelta
from typing import Any

from ostinato.jobs.documents import job_from
from ostinato.jobs.engine import Engine
from ostinato.schema.ids import parse_global_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.malformed import DUE, valid_document

GREET = {"functionName": "functions.greet", "args": {"name": "ann"}}
JOBS = "query($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }"
SCHEDULE = op.mutation("scheduleJob", "ScheduleJobInput", "job { id key tags }")
REGISTER = op.mutation("registerCron", "RegisterCronInput", "cron { id tags }")
HOURLY = {"name": "hourly", "intervalMs": 3_600_000, **GREET}


async def _ids(client: Client, **wanted: Any) -> list[str]:
    page = await client.get(JOBS, filter=wanted)
    return [node["id"] for node in page["nodes"]]


async def test_a_job_has_its_tags_once_and_in_order(ann: Client) -> None:
    given = GREET | {"key": "k1", "tags": ["b", "a", "b", "ä \U0001d11e"]}
    job = (await ann.get(SCHEDULE, input=given))["job"]
    assert (job["key"], job["tags"]) == ("k1", ["b", "a", "ä \U0001d11e"])
    assert (await ann.get(SCHEDULE, input=GREET))["job"]["tags"] == []


async def test_a_cron_gives_its_tags_to_its_jobs(ann: Client, engine: Engine) -> None:
    cron = (await ann.get(REGISTER, input=HOURLY | {"tags": ["nightly"]}))["cron"]
    assert cron["tags"] == ["nightly"]
    stored = await engine.mongo["crons"].find_one({"owner": "ann"})
    assert stored is not None
    assert stored["tags"] == ["nightly"]


async def test_limits_of_tags_are_reported_at_the_field(ann: Client) -> None:
    for tags, path in (
        (["x" * 65], ["input", "tags", 0]),
        (["a", ""], ["input", "tags", 1]),
        (["a\0"], ["input", "tags", 0]),
        ([str(n) for n in range(11)], ["input", "tags"]),
    ):
        for document, given in ((SCHEDULE, GREET), (REGISTER, HOURLY)):
            answer = await ann(document, input=given | {"tags": tags})
            assert (answer.code, answer.paths) == ("BAD_REQUEST", [path])
    answer = await ann(JOBS, filter={"tags": ["x" * 65]})
    assert answer.paths == [["filter", "tags", 0]]


async def test_lists_are_filtered_by_each_label(ann: Client, documents: Documents) -> None:
    old = await documents.job(createdAt=DUE - timedelta(days=1), key="old", tags=["a"])
    new = await documents.job(createdAt=DUE, key="new", tags=["a", "b"])
    plain = await documents.job(createdAt=DUE)
    await documents.job("bob", createdAt=DUE, key="new", tags=["a", "b"])
    at = DUE.isoformat()
    assert await _ids(ann, key="new") == [new]
    assert await _ids(ann, key="none") == []
    assert await _ids(ann, tags=["a"]) == [new, old]
    assert await _ids(ann, tags=["b", "a"]) == [new]
    assert await _ids(ann, tags=[]) == [plain, new, old]
    assert await _ids(ann, createdFrom=at) == [plain, new]
    assert await _ids(ann, createdTo=at) == [old]
    assert await _ids(ann, createdFrom=at, tags=["a"], states=["PENDING"]) == [new]


async def test_only_admins_filter_by_another_owner(
    ann: Client, admin: Client, documents: Documents
) -> None:
    own, others = await documents.job("ann"), await documents.job("bob")
    assert await _ids(admin) == [others, own]
    assert await _ids(admin, owner="bob") == [others]
    assert await _ids(ann, owner="ann") == [own]
    answer = await ann(JOBS, filter={"owner": "bob"})
    assert answer.code == "FORBIDDEN"
    assert (await ann(JOBS, filter={"owner": ""})).paths == [["filter", "owner"]]


async def test_events_contain_the_labels_that_a_job_has(ann: Client, engine: Engine) -> None:
    labeled = (await ann.get(SCHEDULE, input=GREET | {"key": "k", "tags": ["a"]}))["job"]["id"]
    plain = (await ann.get(SCHEDULE, input=GREET))["job"]["id"]
    for global_id, labels in ((labeled, {"key": "k", "tags": ["a"]}), (plain, {})):
        job_id = parse_global_id(global_id)[1]
        await engine.cancel(job_id)
        stored = await engine.mongo["jobs"].find_one({"_id": job_id})
        assert stored is not None
        for event in stored["timeline"]:
            assert event["createdAt"] == stored["createdAt"]
            assert {name: event[name] for name in ("key", "tags") if name in event} == labels


async def test_malformed_tags_make_a_job_malformed(ann: Client, documents: Documents) -> None:
    for tags in (None, "a", [1], {"a": 1}):
        broken = await documents.job(tags=tags)
        assert (await ann(op.LOOKUPS["job"], id=broken)).code == "MALFORMED_DOCUMENT"


def test_a_job_of_an_older_version_has_no_tags() -> None:
    assert job_from(valid_document("jobs")).tags == ()
