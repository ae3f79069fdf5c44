"""The embedded servers, with real processes."""

import asyncio
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis

from ostinato.jobs.embedded import EmbeddedError, EmbeddedServers, start_servers
from ostinato.jobs.embedded.binaries import _in_wheel, _make_executable, _on_path, find_mongod
from ostinato.jobs.embedded.development import MAX_RESTARTS, RestartPolicy, collect_edits
from ostinato.jobs.embedded.process import Child, ProcessSupervisor, free_port, require_free, spawn
from ostinato.jobs.embedded.servers import (
    MONGOD_PARAMETERS,
    mongod_access,
    start_mongod,
    start_valkey,
)
from ostinato.jobs.mongo.diagnostics import inspect_mongo, startup_problem
from ostinato.jobs.mongo.replica_set import NOT_YET_INITIALIZED, make_primary
from tests.conftest import Servers
from tests.processes import ROOT, eventually, is_running

KILLED = ("/bin/sh", "-c", "kill -9 $$")
PARENT = """
import sys, time
from ostinato.jobs.embedded.process import spawn
print(spawn("child", ["/bin/sleep", "60"]).popen.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedServers]:
    embedded = await start_servers(tmp_path)
    yield embedded
    await embedded.stop()


@pytest.fixture
async def standalone_mongod(tmp_path: Path) -> AsyncIterator[str]:
    """Start a mongod that is not a replica set, and return its URL."""
    port = free_port()
    command = [str(find_mongod()), "--dbpath", str(tmp_path), "--port", str(port), "--nounixsocket"]
    child = spawn("mongod", command, log=tmp_path / "log")
    with MongoClient[dict[str, Any]](port=port, directConnection=True) as client:
        await asyncio.to_thread(client.admin.command, "ping")  # waits for it, 30 s at most
    yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
    await child.stop()


async def test_data_is_found_by_servers_on_other_ports(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    with MongoClient[dict[str, Any]](embedded.mongo_url, w="majority") as client:
        client["kept"]["things"].insert_one({"name": "x"})
    await embedded.stop()
    again = await start_servers(tmp_path)
    try:
        assert again.mongo_url != embedded.mongo_url
        with MongoClient[dict[str, Any]](again.mongo_url) as client:
            assert client["kept"]["things"].count_documents({"name": "x"}) == 1
    finally:
        await again.stop()


@pytest.mark.parametrize("start", [start_mongod, start_valkey])
async def test_foreign_server_on_the_port_is_not_mistaken_for_the_embedded_one(
    start: Callable[[Path, int], Awaitable[tuple[Child, str]]], tmp_path: Path
) -> None:
    port = free_port()
    theirs, _ = await start(tmp_path / "theirs", port)
    try:
        with pytest.raises(EmbeddedError, match=r"(?i)address already in use"):
            await start(tmp_path / "ours", port)
    finally:
        await theirs.stop()


async def test_startup_waits_for_a_replica_set_that_loads_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MONGOD_PARAMETERS, "enableTestCommands", "1")
    mongod, url = await start_mongod(tmp_path)
    failing_command = {"failCommands": ["replSetGetConfig"], "errorCode": NOT_YET_INITIALIZED}
    try:
        with MongoClient[dict[str, Any]](url) as client:
            for times in (1, 3):
                fail = {"configureFailPoint": "failCommand", "mode": {"times": times}}
                client.admin.command({**fail, "data": failing_command})
                address = url.rpartition("@")[2].partition("/")[0]
                await make_primary(address, "ostinato", mongod_access(tmp_path))
    finally:
        await mongod.stop()


async def test_connections_closed_during_the_primary_election_are_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MONGOD_PARAMETERS, "enableTestCommands", "1")
    mongod, url = await start_mongod(tmp_path)
    closed = {"failCommands": ["replSetGetConfig", "serverStatus"], "closeConnection": True}
    fail = {"configureFailPoint": "failCommand", "mode": {"times": 4}, "data": closed}
    try:
        with MongoClient[dict[str, Any]](url) as client:
            client.admin.command(fail)
        address = url.rpartition("@")[2].partition("/")[0]
        assert await make_primary(address, "ostinato", mongod_access(tmp_path)) == mongod.popen.pid
    finally:
        await mongod.stop()


async def test_stopping_twice_leaves_no_process(embedded: EmbeddedServers) -> None:
    await embedded.stop()
    await embedded.stop()
    assert all(child.exit_code is not None for child in embedded.children)


async def test_external_servers_are_used_and_not_stopped(servers: Servers, tmp_path: Path) -> None:
    embedded_servers = await start_servers(
        tmp_path, mongo_url=servers.mongo_url, redis_url=servers.redis_url
    )
    assert embedded_servers.children == ()
    assert embedded_servers.mongo_url == servers.mongo_url


def test_embedded_mongod_limits_transactions_and_retains_an_hour_of_oplog(
    mongo_admin: MongoClient[dict[str, Any]],
) -> None:
    limit = mongo_admin.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
    status = mongo_admin.admin.command("serverStatus")
    assert limit["transactionLifetimeLimitSeconds"] == 5
    assert status["oplogTruncation"]["oplogMinRetentionHours"] == 1


@pytest.mark.parametrize(("hours", "ok"), [(0.0, False), (0.5, False), (2.0, True)])
async def test_inspection_reports_an_oplog_retention_below_an_hour(
    embedded: EmbeddedServers, hours: float, ok: bool
) -> None:
    with MongoClient[dict[str, Any]](embedded.mongo_url) as client:
        client.admin.command({"replSetResizeOplog": 1, "minRetentionHours": hours})
    found = await inspect_mongo(embedded.mongo_url, "x")
    (history,) = [finding for finding in found if finding.subject == "history"]
    assert history.detail == f"retained for at least {hours:g} h; currently 0.0 h"
    assert history.ok is ok
    assert ok or "minRetentionHours: 1}" in str(history.fix)


def test_embedded_valkey_evicts_nothing(redis_admin: Redis) -> None:
    assert redis_admin.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


async def test_second_mongod_on_the_same_data_reports_why_it_exited(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    with pytest.raises(EmbeddedError, match="mongod exited with code"):
        await start_mongod(tmp_path)


async def test_child_exits_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert is_running(child)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await eventually(lambda: not is_running(child))


async def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo up; while :; do /bin/sleep 0.1; done"
    child = spawn("stubborn", ["/bin/sh", "-c", script], log=tmp_path / "log")
    await eventually(lambda: child.tail() == "up")
    assert await child.stop(within_s=0.2) == -signal.SIGKILL
    assert child.exit_description == "stubborn was killed by SIGKILL"


async def test_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    start = asyncio.create_task(start_mongod(tmp_path))
    await eventually((tmp_path / "mongo" / "mongod.lock").exists)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert (tmp_path / "mongo" / "mongod.lock").read_text() == ""


def test_missing_program_error_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert _in_wheel("no_such_package.inside", "bin/*") is None
    with pytest.raises(EmbeddedError, match="Install it"):
        _on_path("mongod", missing="Install it")


def test_program_without_execute_permission_is_made_executable(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.touch(mode=0o644)
    _make_executable(program)
    assert program.stat().st_mode & stat.S_IXUSR


def test_port_in_use_error_names_the_variable_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=r"Port .*: address already in use.*OSTINATO_PORT"):
            require_free("127.0.0.1", port, "OSTINATO_PORT")


async def test_standalone_mongod_is_rejected_with_the_fix(standalone_mongod: str) -> None:
    reason = await startup_problem(standalone_mongod, "x") or ""
    assert "not a member of a replica set" in reason
    assert "rs.initiate()" in reason


async def test_unreachable_mongod_is_rejected_with_the_fix() -> None:
    reason = await startup_problem(f"mongodb://127.0.0.1:{free_port()}/", "x") or ""
    assert "correct OSTINATO_MONGO_URL" in reason


async def test_standalone_mongod_is_reported_among_other_findings(standalone_mongod: str) -> None:
    findings = {finding.subject: finding for finding in await inspect_mongo(standalone_mongod, "x")}
    assert findings["replica set"].fix is not None
    assert findings["transaction limit"].detail == "60 s"
    assert findings["transaction limit"].fix is not None
    assert findings["privileges"].ok


async def test_process_killed_repeatedly_is_not_restarted() -> None:
    messages: list[str] = []
    processes = ProcessSupervisor({"api": KILLED}, RestartPolicy(messages.append))
    with pytest.raises(EmbeddedError, match="SIGKILL, after 10 restarts in 10 s"):
        await eventually(processes.check, within=30)
    await processes.stop(1)
    assert len(messages) == MAX_RESTARTS


async def test_process_killed_occasionally_is_replaced_each_time() -> None:
    messages: list[str] = []
    minutes = map((60.0).__mul__, count())
    processes = ProcessSupervisor({"api": KILLED}, RestartPolicy(messages.append, minutes.__next__))

    def checked() -> bool:
        processes.check()
        return len(messages) > 2 * MAX_RESTARTS

    await eventually(checked, within=30)
    await processes.stop(1)


async def test_folder_that_cannot_be_watched_is_reported(tmp_path: Path) -> None:
    messages: list[str] = []
    await collect_edits(tmp_path / "missing", set(), messages.append)
    [message] = messages
    assert f"Cannot watch {tmp_path / 'missing'} (" in message
