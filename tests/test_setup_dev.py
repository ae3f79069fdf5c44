"""`ostinato dev`, with real processes."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from ostinato.jobs.embedded.data_folder import local_secret, locked
from ostinato.jobs.embedded.process import Child, free_port, spawn
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from tests.conftest import JWT_SECRET
from tests.processes import OSTINATO, ROOT, TLS, eventually, is_running
from tests.test_setup_cli import ostinato

pytestmark = pytest.mark.slow

UP_WITHIN = 150.0  # seconds, on a busy machine
DOWN_WITHIN = 30.0
OUTPUT_CLOSED = ("/bin/bash", "-c", 'exec "$0" "$@" > >(head -n 1) 2>&1', *OSTINATO)
FUNCTIONS = "tests.client.functions"
VIEWER = "{ viewer { id } }"
SCHEDULE_CALL = """
mutation ($args: JSON!) {
  scheduleJob(input: { functionName: "actions.retryableAction", args: $args }) { jobId }
}"""
CALLS = """
{ jobs(filter: { functionName: "actions.retryableAction" }) { nodes { args state } } }"""


class Run:
    """One run of `ostinato dev` on a folder."""

    def __init__(
        self,
        folder: Path,
        port: int,
        command: Sequence[str] = OSTINATO,
        variables: Mapping[str, str] | None = None,
        reload_in: Path | None = None,
    ) -> None:
        self.description = folder / "dev.json"
        log = folder.parent / f"dev-{time.monotonic_ns()}.log"
        env = {k: v for k, v in os.environ.items() if not k.startswith("OSTINATO_")}
        env |= {"OSTINATO_PORT": str(port), **(variables or {})}
        dev = [*command, "dev", "--data", str(folder)]
        if reload_in is not None:  # the folder whose files are edited
            dev = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(reload_in), *dev, "--reload"]
        self.child: Child = spawn("dev", dev, log=log, env=env)

    async def up(self) -> dict[str, str]:
        await eventually(lambda: self.description.exists() or self.ended, UP_WITHIN)
        assert not self.ended, self.child.tail()
        description: dict[str, str] = json.loads(self.description.read_text())
        return description

    @property
    def ended(self) -> bool:
        return self.child.exit_code is not None

    def processes(self) -> list[int]:
        """Return the children of this run: two servers, an API and a worker."""
        task = Path(f"/proc/{self.child.popen.pid}/task/{self.child.popen.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def process(self, word: str) -> int | None:
        """Return the child with this word on its command line, None if there is none."""
        lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in self.processes() if is_running(pid)}
        return next((pid for pid, path in lines.items() if word in path.read_text()), None)

    def kill(self, word: str) -> int:
        pid = self.process(word)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    async def end(self, number: signal.Signals) -> int:
        self.child.popen.send_signal(number)
        return await asyncio.wait_for(self.child.wait(), DOWN_WITHIN)


class Installation:
    """A folder and a port for consecutive runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._run: Run | None = None

    def start(self) -> Run:
        self._run = Run(self.folder, self.port, variables={"OSTINATO_FUNCTIONS": FUNCTIONS})
        return self._run

    async def running(self) -> Run:
        """Return the current run; start one if a test has ended the last."""
        run = self._run if self._run and not self._run.ended else self.start()
        await run.up()
        return run

    def end(self) -> None:
        if self._run:
            self._run.child.popen.terminate()
            self._run.child.popen.wait(DOWN_WITHIN)


def issued_with(secret: str) -> str:
    return issue_token(Settings(jwt_secret=SecretStr(secret)), "alice")


async def graphql(
    description: Mapping[str, str], query: str, key: str = "token", **variables: object
) -> dict[str, Any]:
    """Run an operation with the token that the description has at this key, and return its data."""
    headers = {"authorization": f"Bearer {description[key]}"}
    async with httpx.AsyncClient(trust_env=False, verify=TLS, headers=headers) as client:
        body = {"query": query, "variables": variables}
        reply = await client.post(description["graphqlUrl"], json=body)
    data: dict[str, Any] = reply.json()["data"]
    return data


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return the run that tests share, since each run starts three servers."""
    installation = Installation(tmp_path_factory.mktemp("dev") / ".ostinato")
    yield installation
    installation.end()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Installation]:
    """Return one for a run that is rejected."""
    installation = Installation(tmp_path / "data")
    yield installation
    installation.end()


async def test_dev_starts_and_prints_valid_tokens(dev: Installation) -> None:
    run = await dev.running()
    description = await run.up()
    assert run.description.stat().st_mode & 0o777 == 0o600
    for token in ("token", "otherToken", "adminToken"):
        assert (await graphql(description, VIEWER, token))["viewer"]["id"]


async def test_output_and_command_lines_contain_no_password(dev: Installation) -> None:
    run = await dev.running()
    description = await run.up()
    assert run.child.log is not None
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in run.processes()]
    logs = [path.read_text() for path in (run.child.log, *dev.folder.glob("*.log"))]
    secrets = {urlsplit(description[key]).password or "" for key in ("mongoUrl", "redisUrl")}
    secrets |= {local_secret(dev.folder), description["adminToken"]}
    assert min(map(len, secrets)) >= 32
    assert [text for text in lines + logs if any(each in text for each in secrets)] == []


async def test_functions_may_call_the_flaky_api_but_not_the_api_itself(dev: Installation) -> None:
    description = await (await dev.running()).up()
    flaky, own = f"{description['flakyUrl']}?failures=0", f"{description['pageUrl']}config.json"
    for url in (flaky, own):
        await graphql(description, SCHEDULE_CALL, args={"data": {"url": url}})

    async def have_ended() -> bool:
        jobs = (await graphql(description, CALLS))["jobs"]["nodes"]
        states = {(job["args"]["data"]["url"], job["state"]) for job in jobs}
        return states == {(flaky, "SUCCESS"), (own, "FAILED")}

    await eventually(have_ended)


async def test_token_is_signed_with_the_secret_of_a_running_dev(dev: Installation) -> None:
    description = await (await dev.running()).up()
    done = await asyncio.to_thread(ostinato, "token", "--sub", "carol", folder=dev.folder.parent)
    assert f"Using the settings of the running `ostinato dev` ({dev.folder})" in (done.stderr)
    carols = {**description, "token": done.stdout.strip()}
    assert (await graphql(carols, VIEWER))["viewer"]["id"] == "carol"


async def test_commands_use_the_settings_of_a_running_dev(dev: Installation) -> None:
    description = await (await dev.running()).up()
    parent = dev.folder.parent
    own = {"OSTINATO_APP_DATABASE": "other", "PYTHONPATH": str(ROOT)}
    listed = await asyncio.to_thread(ostinato, "functions", folder=parent, variables=own)
    assert "functions.closeBooks" in listed.stdout
    done = await asyncio.to_thread(ostinato, "exec", "env", "-u", "X", folder=parent, variables=own)
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert variables["OSTINATO_MONGO_URL"] == description["mongoUrl"]
    assert variables["OSTINATO_JWT_SECRET"] == local_secret(dev.folder)
    assert variables["OSTINATO_MODE"] == "development"
    assert variables["OSTINATO_FUNCTIONS"] == FUNCTIONS
    assert variables["OSTINATO_APP_DATABASE"] == "other"


async def test_doctor_checks_the_servers_of_a_running_dev(dev: Installation) -> None:
    await dev.running()
    path = {"PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(ostinato, "doctor", folder=dev.folder.parent, variables=path)
    assert done.returncode == 0, done.stdout
    assert local_secret(dev.folder) not in done.stdout + done.stderr


def test_token_does_not_use_the_secret_of_a_killed_or_another_dev(tmp_path: Path) -> None:
    folder = tmp_path / ".ostinato"
    folder.mkdir()
    other = {"mongoUrl": "", "redisUrl": "", "token": issued_with(JWT_SECRET)}
    (folder / "dev.json").write_text(
        json.dumps({**other, "token": issued_with(local_secret(folder))})
    )
    token = ("token", "--sub", "carol")
    assert "Using" not in ostinato(*token, folder=tmp_path).stderr
    with locked(folder):
        (folder / "dev.json").write_text(json.dumps(other))
        assert "set OSTINATO_JWT_SECRET" in ostinato(*token, folder=tmp_path).stderr
        variables = {"OSTINATO_JWT_SECRET": JWT_SECRET}
        assert ostinato(*token, folder=tmp_path, variables=variables).stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_stops_all_processes_within_5_seconds(
    dev: Installation, number: signal.Signals
) -> None:
    run = await dev.running()
    children = run.processes()
    assert len(children) == 4
    assert await run.end(number) == 0, run.child.tail()
    assert [pid for pid in children if is_running(pid)] == []
    assert not run.description.exists()


async def test_second_run_finds_the_data_of_a_killed_run(dev: Installation) -> None:
    first = await dev.running()
    url = (await first.up())["mongoUrl"]
    with MongoClient[dict[str, str]](url, w="majority") as client:
        client["ostinato"]["kept"].insert_one({"name": "x"})
    children = first.processes()
    await first.end(signal.SIGKILL)
    await eventually(lambda: not any(is_running(pid) for pid in children))
    second = dev.start()
    await eventually(lambda: not second.description.exists())
    with MongoClient[dict[str, str]]((await second.up())["mongoUrl"]) as client:
        assert client["ostinato"]["kept"].count_documents({"name": "x"}) == 1


async def test_second_instance_is_rejected_with_its_reason(other: Installation) -> None:
    with locked(other.folder):
        second = other.start()
        assert await asyncio.wait_for(second.child.wait(), UP_WITHIN) == 1
        assert f"already running on {other.folder} (process {os.getpid()})" in _flat(second)
        assert "OSTINATO_PORT=PORT ostinato dev --data DIR" in _flat(second)


async def test_error_for_a_port_in_use_names_the_fix(other: Installation) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", other.port):
        run = other.start()
        assert await asyncio.wait_for(run.child.wait(), UP_WITHIN) == 1
        assert "address already in use" in _flat(run)
        assert "choose another port with OSTINATO_PORT" in _flat(run)


async def test_killed_worker_is_replaced_and_reported(dev: Installation) -> None:
    run = await dev.running()
    killed = run.kill("\0worker")
    await eventually(lambda: run.process("\0worker") not in {None, killed}, UP_WITHIN)
    assert "worker was killed by SIGKILL. Restarting it." in _flat(run)
    assert run.child.exit_code is None


async def test_exit_of_a_server_stops_all_and_is_reported(dev: Installation) -> None:
    run = await dev.running()
    children = run.processes()
    run.kill("valkey-server")
    assert await asyncio.wait_for(run.child.wait(), DOWN_WITHIN) == 1
    assert "Unexpected: valkey was killed by SIGKILL" in _flat(run)
    assert [pid for pid in children if is_running(pid)] == []


def test_local_secret_is_persistent_and_private(tmp_path: Path) -> None:
    secret = local_secret(tmp_path)
    assert local_secret(tmp_path) == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def _flat(run: Run) -> str:
    return " ".join(run.child.tail().split())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
async def test_run_whose_terminal_was_closed_stops_at_a_signal(
    other: Installation, number: signal.Signals
) -> None:
    run = Run(other.folder, other.port, OUTPUT_CLOSED)
    await run.up()
    processes = run.processes()
    await run.end(number)
    await eventually(lambda: not any(map(is_running, processes)), DOWN_WITHIN)


FUNCTION = """from ostinato import Context, mutation


@mutation(public=True)
async def {name}(ctx: Context) -> None:
    pass
"""


async def test_edit_of_a_function_restarts_the_api_and_the_worker(tmp_path: Path) -> None:
    module = tmp_path / "edited.py"
    module.write_text(FUNCTION.format(name="before"))
    variables = {"OSTINATO_FUNCTIONS": "edited"}
    run = Run(tmp_path / "data", free_port(), variables=variables, reload_in=tmp_path)
    try:
        description = await run.up()
        module.write_text("broken(")
        await eventually(lambda: "Edit a file to start again." in run.child.tail(), UP_WITHIN)
        module.write_text(FUNCTION.format(name="after"))
        await _eventually_has_function(description, "edited.after")
        assert "edited.py changed" in run.child.tail()
    finally:
        await run.end(signal.SIGTERM)


async def _eventually_has_function(description: Mapping[str, str], name: str) -> None:
    async def has_function() -> bool:
        with suppress(httpx.TransportError):
            found = await graphql(description, "{ functions { name } }")
            return {"name": name} in found["functions"]
        return False

    await eventually(has_function, UP_WITHIN)
