"""The demo: each pattern through GraphQL alone, on real processes that are killed and flushed."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis

from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.settings import Mode, Settings
from tests.processes import ROOT, ApiProcess, Processes, eventually

pytestmark = pytest.mark.slow

DEMO = ROOT / "docs" / "examples" / "demo.py"
TITLES = ("1 and 2: ", "3: ", "4: ", "5: ", "6: ", "All six patterns have run.")
OUTCOMES = (
    *("cron              paused", "cron              deleted", "tasks.runTask     SUCCESS → {"),
    *("DONE, 250 processed, 0 left, ", 'COMPLETED → {"question": 42}', "TIMEOUT"),
    *("call 1            failed; retrying in 1 s", "call 3            answered 200"),
)
ENDED_WITHIN = 30.0
Cues = Mapping[str, Callable[[], object]]


def describe(server: ApiProcess, folder: Path) -> None:
    """Write what `ostinato dev` writes for scripts."""
    (folder / ".ostinato").mkdir()
    found = {"graphqlUrl": server.graphql_url, "wsUrl": server.ws_url, "token": server.token()}
    (folder / ".ostinato" / "dev.json").write_text(json.dumps(found))


async def play(folder: Path, cues: Cues) -> tuple[int, str]:
    """Run the demo in a folder; act when a line has the words of a cue. Returns code and output."""
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
        for words, act in cues.items():
            if words in line.decode():
                act()
    return await demo.wait(), output


async def test_all_six_patterns_end_through_a_killed_worker_and_a_flushed_valkey(
    processes: Processes,
    redis_admin: Redis,
    mongo_admin: MongoClient[dict[str, Any]],
    settings: Settings,
    tmp_path: Path,
) -> None:
    port = free_port()
    given = {"mode": Mode.DEVELOPMENT, "allowed_hosts_http": (f"127.0.0.1:{port}",)}
    describe(await processes.api(port=port, **given), tmp_path)
    workers = [processes.worker(**given) for _ in range(2)]
    cues: Cues = {"4: a rate-limited": workers[0].popen.kill, "5: requests": redis_admin.flushdb}
    code, output = await play(tmp_path, cues)
    assert (code, [words for words in TITLES + OUTCOMES if words not in output]) == (0, []), output
    assert "None" not in output
    assert output.index("cron   ") < output.index("PENDING") < output.index("paused"), "in time"
    database = mongo_admin[settings.database]
    left = {"owner": "alice", "state": {"$in": ["pending", "inProgress"]}}
    await eventually(lambda: database["jobs"].count_documents(left) == 0, within=ENDED_WITHIN)
    assert database["items"].distinct("version") == [2], "each item was processed once"


async def test_a_handler_of_ones_own_is_named_as_what_ends_requests_otherwise(
    processes: Processes, tmp_path: Path
) -> None:
    given = {"mode": Mode.DEVELOPMENT, "functions": ("docs.examples.mailing",)}
    describe(await processes.api(**given), tmp_path)
    processes.worker(**given)
    code, output = await play(tmp_path, {})
    assert code == 1, output
    assert "FAILED" in output.splitlines()[-2]
    assert "a request ended as FAILED, not as COMPLETED: is a @request_handler" in output
