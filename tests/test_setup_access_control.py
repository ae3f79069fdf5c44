"""The embedded servers require a password, which only the owner of the data folder can read."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import AuthenticationError, Redis

from ostinato.jobs.embedded import EmbeddedServers, start_servers
from tests.engine.open_servers import start_open_mongod, start_open_valkey

Mongo = MongoClient[dict[str, Any]]
UNAUTHORIZED = 13


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedServers]:
    embedded = await start_servers(tmp_path)
    yield embedded
    await embedded.stop()


def passwords(embedded: EmbeddedServers) -> list[str]:
    urls = (embedded.mongo_url, embedded.redis_url)
    return [urlsplit(url).password or "" for url in urls]


def direct(url: str, user: str | None = None, password: str | None = None) -> Mongo:
    port = urlsplit(url).port
    return Mongo(port=port, username=user, password=password, directConnection=True)


@pytest.mark.parametrize("login", [(), ("ostinato", "x"), ("root", "x")])
async def test_mongod_rejects_clients_without_the_password(
    embedded: EmbeddedServers, login: tuple[str, ...]
) -> None:
    with direct(embedded.mongo_url, *login) as client, pytest.raises(OperationFailure):
        client["ostinato"]["jobs"].find_one()


async def test_nobody_can_create_a_user_without_the_password(embedded: EmbeddedServers) -> None:
    with direct(embedded.mongo_url) as client, pytest.raises(OperationFailure) as raised:
        client.admin.command("createUser", "mallory", pwd="x", roles=["root"])
    assert raised.value.code == UNAUTHORIZED


@pytest.mark.parametrize("password", [None, "", "x"])
async def test_valkey_rejects_clients_without_the_password(
    embedded: EmbeddedServers, password: str | None
) -> None:
    port = urlsplit(embedded.redis_url).port or 0
    with Redis(port=port, password=password) as client, pytest.raises(AuthenticationError):
        client.ping()


async def test_passwords_are_on_no_command_line_and_in_no_log(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    lines = [Path(f"/proc/{one.popen.pid}/cmdline").read_text() for one in embedded.children]
    logs = [path.read_text() for path in tmp_path.glob("*.log")]
    assert len(logs) == 2
    for password in passwords(embedded):
        assert len(password) >= 32
        assert [text for text in lines + logs if password in text] == []


async def test_only_the_owner_can_read_files_with_a_password_or_its_key(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    names = ("secret", "mongod.key", "valkey.conf")
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(
        names, 0o600
    )


async def test_each_server_and_data_folder_has_its_own_password(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    other = await start_servers(tmp_path / "other")
    await other.stop()
    found = [*passwords(embedded), *passwords(other)]
    assert len(set(found)) == len(found)


async def write_without_access_control(folder: Path) -> None:
    mongod, mongo_url = await start_open_mongod(folder)
    valkey, redis_url = await start_open_valkey(folder)
    with Mongo(mongo_url) as client, Redis.from_url(redis_url) as redis:
        client["kept"]["things"].insert_one({"name": "x"})
        redis.set("kept", "x")
    for child in (mongod, valkey):
        await child.stop()


async def test_data_written_without_access_control_is_kept_and_protected(tmp_path: Path) -> None:
    await write_without_access_control(tmp_path)
    embedded = await start_servers(tmp_path)
    try:
        with Mongo(embedded.mongo_url) as client, Redis.from_url(embedded.redis_url) as redis:
            assert client["kept"]["things"].count_documents({"name": "x"}) == 1
            assert redis.get("kept") == b"x"
        with direct(embedded.mongo_url) as client, pytest.raises(OperationFailure):
            client["kept"]["things"].find_one()
    finally:
        await embedded.stop()


async def test_a_new_secret_of_the_folder_changes_the_passwords(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    await embedded.stop()
    (tmp_path / "secret").unlink()
    again = await start_servers(tmp_path)
    try:
        assert set(passwords(again)).isdisjoint(passwords(embedded))
        with Mongo(again.mongo_url) as client, Redis.from_url(again.redis_url) as redis:
            assert client["x"]["y"].find_one() is None
            assert redis.get("x") is None
    finally:
        await again.stop()
