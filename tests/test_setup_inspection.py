"""`doctor` and the startup checks report problems that the processes would have."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from ostinato.jobs.mongo import malformed_diagnostics
from ostinato.jobs.mongo.diagnostics import direct_url, inspect_mongo, startup_problem
from ostinato.jobs.mongo.replica_set import check_topology
from ostinato.jobs.settings import Settings
from ostinato.resolvers.jwt_keys import check_keys
from ostinato.schema.server.app import create_app
from tests.conftest import JWT_SECRET, Servers
from tests.malformed import FAR_FUTURE, valid_document

OPTIONS = (
    "tls=true&tlsInsecure=true",
    "tls=true&tlsAllowInvalidHostnames=true",
    "authMechanism=PLAIN&authSource=$external",
    "authMechanism=SCRAM-SHA-256",
    "authSource=other&readPreferenceTags=dc:ny,rack:1&readPreference=secondary",
    "uuidRepresentation=standard&compressors=zlib",
)
PASSWORD = "p%40ss%2Fw%23rd"
SECRET = SecretStr(JWT_SECRET)
KEYS: dict[str, dict[str, Any]] = {
    "no key": {"jwt_secret": None},
    "no PEM": {"jwt_secret": None, "jwt_public_key": "abc"},
    "no https": {"jwt_secret": None, "jwt_jwks_url": "http://id.example/keys"},
    "no address": {"jwt_secret": None, "jwt_jwks_url": "https://"},
    "an unknown algorithm": {"jwt_secret": SECRET, "jwt_algorithms": ("HS512",)},
    "an algorithm without a key": {"jwt_secret": SECRET, "jwt_algorithms": ("RS256",)},
}


def client_options(url: str) -> list[object]:
    """Return the credentials and the TLS options of a URL."""
    with MongoClient[dict[str, Any]](url, connect=False) as client:
        options = client.options.pool_options
        login, tls = options._credentials, options._ssl_context
    return [
        login and (login.mechanism, login.source, login.username, login.password),
        tls and (tls.verify_mode, tls.check_hostname),
    ]


@pytest.mark.parametrize("options", OPTIONS)
def test_inspection_uses_the_credentials_of_the_processes(options: str) -> None:
    url = f"mongodb://ada:{PASSWORD}@one,two:27018/base?replicaSet=rs0&{options}"
    assert client_options(direct_url(url)) == client_options(url)
    assert direct_url(url).startswith(f"mongodb://ada:{PASSWORD}@one/base?")


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://ada:p@ss/w#rd@host/",
        "mongodb://ada:p@ss/w@host/?replicaSet=rs0",
        "mongodb://ada:secret@host:port/",
        "localhost:27017",
        "",
    ],
)
async def test_invalid_mongodb_url_is_rejected_without_showing_its_password(url: str) -> None:
    reason = await startup_problem(url, "x")
    assert "percent-encode special characters in the password" in str(reason)
    assert "OSTINATO_MONGO_URL" in str(reason)
    assert "ss/w" not in str(reason)
    assert [finding.fix for finding in await inspect_mongo(url, "x")] == [reason]


async def test_wrong_replica_set_name_is_reported_at_once(
    servers: Servers,
) -> None:
    url = servers.mongo_url.replace("replicaSet=ostinato", "replicaSet=other")
    assert "`replicaSet` in OSTINATO_MONGO_URL" in str(await startup_problem(url, "x"))
    found = {finding.subject: finding for finding in await inspect_mongo(url, "x")}
    assert found["replica set"].detail == "member of ostinato"
    assert not found["members of the set"].ok


async def test_malformed_documents_are_counted_and_named(
    settings: Settings, mongo_admin: MongoClient[dict[str, Any]]
) -> None:
    database = mongo_admin[settings.database]
    broken = [valid_document("jobs", version="two") for _ in range(4)]
    database.jobs.insert_many([valid_document("jobs"), *broken, valid_document("jobs")])
    database.crons.insert_one(valid_document("crons", nextRunTime=FAR_FUTURE, _id=5))
    named = ", ".join(repr(document["_id"]) for document in reversed(broken[1:]))
    found = await inspect_mongo(settings.mongo_url, settings.database)
    jobs, crons = (finding.detail for finding in found if finding.subject == "documents")
    assert jobs == (
        f"jobs: 4 of the newest 6 are malformed: {named} (version must be a whole number, got a "
        "string)"
    )
    assert crons.startswith("crons: 1 of the newest 1 are malformed: 5 (")


async def test_search_for_malformed_documents_is_bounded(
    settings: Settings, mongo_admin: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_admin[settings.database].jobs.insert_many([valid_document("jobs") for _ in range(5)])
    for limit in ("MAX_DOCUMENTS", "MAX_DURATION_S"):
        with monkeypatch.context() as patch:
            patch.setattr(malformed_diagnostics, limit, 1e-9 if limit == "MAX_DURATION_S" else 2)
            found = await inspect_mongo(settings.mongo_url, settings.database)
        (finding,) = [candidate for candidate in found if candidate.subject == "documents"]
        expected = 1 if limit == "MAX_DURATION_S" else 2
        assert finding.detail.startswith(f"{expected} checked, the newest of each collection")


@pytest.mark.parametrize(("role", "ok"), [("read", False), ("readWrite", True), ("dbOwner", True)])
async def test_user_without_privileges_is_rejected_with_the_role_to_grant(
    servers: Servers, mongo_admin: MongoClient[dict[str, Any]], role: str, ok: bool
) -> None:
    name = f"user-{uuid4().hex}"
    roles = [{"role": role, "db": "base"}]
    mongo_admin.admin.command("createUser", name, pwd="secret", roles=roles)
    url = servers.mongo_url_for(name, "secret")
    reasons = [
        await startup_problem(f"{url}&authSource=admin", database) for database in ("base", "other")
    ]
    mongo_admin.admin.command("dropUser", name)
    assert (reasons[0] is None) is ok
    assert "lacks privileges in 'other': changeStream, createCollection" in str(reasons[1])
    assert "grant the user the role readWrite on the database 'other'" in str(reasons[1])


async def test_user_needs_privileges_in_the_applications_database_too(
    servers: Servers, mongo_admin: MongoClient[dict[str, Any]]
) -> None:
    name = f"user-{uuid4().hex}"
    roles = [{"role": "readWrite", "db": "base"}]
    mongo_admin.admin.command("createUser", name, pwd="secret", roles=roles)
    url = f"{servers.mongo_url_for(name, 'secret')}&authSource=admin"
    reason = await startup_problem(url, "base", "shop")
    findings = await inspect_mongo(url, "base", app_database="shop")
    mongo_admin.admin.command("dropUser", name)
    rights = [finding for finding in findings if finding.subject == "rights"]
    assert "grant the user the role readWrite on the database 'shop'" in str(reason)
    assert [finding.ok for finding in rights] == [True, False]


def test_mongos_error_says_it_is_not_supported() -> None:
    found = check_topology({"msg": "isdbgrid", "isWritablePrimary": True, "ok": 1.0})
    assert "a mongos of a sharded cluster, which is not supported" in found.detail
    assert "set OSTINATO_MONGO_URL to a replica set that is not part" in str(found.fix)


@pytest.mark.parametrize("what", KEYS)
def test_doctor_checks_keys_as_the_api_does_at_startup(settings: Settings, what: str) -> None:
    invalid_settings = settings.model_copy(update={"cursor_secret": SECRET, **KEYS[what]})
    with pytest.raises(ValueError, match="OSTINATO_JWT_") as raised:
        create_app(invalid_settings)
    assert check_keys(invalid_settings).fix == str(raised.value)


def test_local_jwks_url_is_accepted_by_doctor_and_api(settings: Settings) -> None:
    with_local_jwks = {
        "jwt_secret": None,
        "jwt_jwks_url": "http://localhost:9/keys",
        "cursor_secret": SECRET,
    }
    invalid_settings = settings.model_copy(update=with_local_jwks)
    assert check_keys(invalid_settings).ok
    create_app(invalid_settings)
