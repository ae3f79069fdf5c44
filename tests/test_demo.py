"""The demo runs each pattern through GraphQL, while processes are killed and Valkey is flushed."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from redis import Redis

from ostinato.jobs.embedded.flaky_api import serving_flaky_api
from ostinato.jobs.settings import Mode, Settings
from tests.processes import ROOT, ApiProcess, Processes, eventually

pytestmark = pytest.mark.slow

DEMO = ROOT / "docs" / "examples" / "demo.py"
TITLES = ("1: ", "2: ", "3: ", "4: ", "5: ", "All five patterns have run.")
OUTCOMES = (
    *("cron              paused", "cron              deleted", "tasks.runTask     SUCCESS → {"),
    *("DONE, 250 processed, 0 left, ", 'COMPLETED → {"question": 42}', "TIMEOUT"),
    *("call 1            failed; retrying in 1 s", "call 3            answered 200"),
)
END_TIMEOUT_S = 30.0
ActionsByText = Mapping[str, Callable[[], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    folder: Path
    flaky_url: str

    def write_description(self, server: ApiProcess) -> None:
        """Write the description file that `ostinato dev` writes for scripts."""
        found = {"graphqlUrl": server.graphql_url, "wsUrl": server.ws_url, "token": server.token()}
        (self.folder / ".ostinato").mkdir()
        text = json.dumps({**found, "flakyUrl": self.flaky_url})
        (self.folder / ".ostinato" / "dev.json").write_text(text)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with serving_flaky_api() as url:
        yield Demo(folder=tmp_path, flaky_url=url)


async def run_demo(folder: Path, actions_by_text: ActionsByText) -> tuple[int, str]:
    """Run the demo in a folder; on an output line with a key of the actions, call its function.

    Return the exit code and the output.
    """
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DEMO),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert demo.stdout is not None
    output = ""
    async for line in demo.stdout:
        output += line.decode()
        for words, action in actions_by_text.items():
            if words in line.decode():
                action()
    return await demo.wait(), output


async def test_patterns_complete_despite_a_killed_worker_and_a_flushed_valkey(
    processes: Processes,
    redis_admin: Redis,
    mongo_admin: MongoClient[dict[str, Any]],
    settings: Settings,
    demo: Demo,
) -> None:
    allowed = (urlsplit(demo.flaky_url).netloc,)
    settings_ = {"mode": Mode.DEVELOPMENT, "allowed_hosts_http": allowed}
    demo.write_description(await processes.api(**settings_))
    workers = [processes.worker(**settings_) for _ in range(2)]
    kill, flush = workers[0].popen.kill, redis_admin.flushdb
    code, output = await run_demo(demo.folder, {"3: a rate-limited": kill, "4: requests": flush})
    assert (code, [words for words in TITLES + OUTCOMES if words not in output]) == (0, []), output
    assert "None" not in output
    cron, job, paused = map(output.index, ("cron   ", "PENDING", "paused"))
    assert cron < job < paused, "cron lines precede the job's"
    database = mongo_admin[settings.database]
    left = {"owner": "alice", "state": {"$in": ["pending", "inProgress"]}}
    await eventually(lambda: database["jobs"].count_documents(left) == 0, within=END_TIMEOUT_S)
    assert database["items"].distinct("version") == [2], "each item was processed once"


async def test_failed_request_of_the_demo_suggests_a_custom_request_handler_as_the_cause(
    processes: Processes, demo: Demo
) -> None:
    settings_ = {"mode": Mode.DEVELOPMENT, "functions": ("docs.examples.mailing",)}
    demo.write_description(await processes.api(**settings_))
    processes.worker(**settings_)
    code, output = await run_demo(demo.folder, {})
    assert code == 1, output
    assert "FAILED" in output.splitlines()[-2]
    assert "a request ended as FAILED, not as COMPLETED: is a @request_handler" in output
