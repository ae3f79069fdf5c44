"""Runs the tour of the README and the examples of docs/functions.md as printed."""

import asyncio
import os
import re
import sys
import textwrap
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ostinato.jobs.settings import Settings
from tests.processes import ROOT, TLS, ApiProcess, Processes, environment, eventually
from tests.schema.nodejs import FOLDER, install_clients

EXAMPLES = ("docs.examples.my_functions", "docs.examples.mailing")
OF_FUNCTIONS = ("my_functions", "mailing", "failure_hooks")
ENDED_WITHIN = 30.0
BROWSER_GLOBALS = "import { WebSocket } from 'ws'; globalThis.WebSocket ??= WebSocket;\n"
RESULTS = """query ($name: String!) {
  jobs(filter: {functionName: $name, states: [SUCCESS]}) { nodes { args result } }
}"""
ADD = """mutation ($email: JSON!) {
  scheduleJob(input: {functionName: "mailing.addReader", args: {email: $email}}) { jobId }
}"""


START_TASK = """mutation {
  startRecurringTask(input: {taskId: "sync", intervalMs: 3600000}) { recurringTask { version } }
}"""
START_SLOW_BATCH = """mutation {
  startBatch(input: {batchSize: 1, delayMs: 60000}) { batchId }
}"""


OF_PYTHON_CLIENT = [
    "written to ada",
    "written to ada",
    "['written to grace', 'written to katherine']",
    "BadRequest: invalid arguments: args.amount: is required",
    "canceled",
    "written to ada",
]
"""What the examples of the Python client print before the id of the job that they follow."""


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


class Reader:
    """A user who runs the examples of the pages."""

    def __init__(self, api: ApiProcess) -> None:
        self._url, self._headers = api.graphql_url, {"authorization": f"Bearer {api.token()}"}
        self._api = api

    async def run(self, document: str, **variables: object) -> Any:
        """Run an operation and return its only root field; fail on errors."""
        body = {"query": document, "variables": variables}
        async with httpx.AsyncClient(trust_env=False, verify=TLS, headers=self._headers) as http:
            answer = (await http.post(self._url, json=body)).json()
        assert "errors" not in answer, answer
        (field,) = answer["data"].values()
        return field

    async def results(self, name: str, count: int) -> list[Any]:
        """Wait for the results of this many jobs of a function."""

        async def found() -> list[Any]:
            nodes = (await self.run(RESULTS, name=name))["nodes"]
            return [node["result"] for node in nodes] if len(nodes) >= count else []

        return await eventually(found, within=ENDED_WITHIN)

    @asynccontextmanager
    async def page(self, code: str) -> AsyncIterator[asyncio.StreamReader]:
        """Run a script of a page with the address and a token of the server; yield its output."""
        for printed_text, replacement in (
            ("127.0.0.1:8000", self._api.address),
            ("…", self._api.token()),
        ):
            assert printed_text in code
            code = code.replace(printed_text, replacement)
        script = FOLDER / "node_modules" / ".readme.mjs"
        script.write_text(BROWSER_GLOBALS + code)
        process = await asyncio.create_subprocess_exec(
            "node", str(script), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined] # otherwise its pipe warns when it is garbage collected


@pytest.fixture
async def alice(processes: Processes) -> Reader:
    """Return a user of a server with the functions of the examples."""
    processes.worker(functions=EXAMPLES)
    return Reader(await processes.api(functions=EXAMPLES))


async def test_the_tour_of_the_readme_works_as_described(alice: Reader) -> None:
    register, _, transfer = code_blocks("README.md", "graphql")
    cron = (await alice.run(register))["cron"]
    assert len(cron["nextRuns"]) == 3
    job = (await alice.run(transfer))["job"]
    assert job["state"] == "PENDING"
    assert await alice.results("my_functions.receipt", 1) == ["grace got 3 points"]
    (ticked, *_) = await alice.results("tasks.runTask", 1)
    assert ticked["name"] == "every two seconds"


async def test_script_of_the_readme_receives_each_change(alice: Reader) -> None:
    install_clients()
    _, _, transfer = code_blocks("README.md", "graphql")
    (code,) = code_blocks("README.md", "js")
    async with asyncio.timeout(ENDED_WITHIN), alice.page(code) as log:
        await log.readuntil(b"kind: 'READY'")
        await alice.run(transfer)
        for state in (b"state: 'PENDING'", b"state: 'IN_PROGRESS'", b"state: 'SUCCESS'"):
            await log.readuntil(b"kind: 'CHANGED'")
            await log.readuntil(state)


async def test_a_batch_over_a_custom_collection_processes_each_document_once(
    alice: Reader,
) -> None:
    start, _ = code_blocks("docs/functions.md", "graphql")
    readers = {"ada", "grace", "katherine"}
    for reader in [*readers, "ada"]:
        await alice.run(ADD, email=reader)
    await alice.results("mailing.addReader", 3)
    assert (await alice.run(start))["batch"] == {"state": "RUNNING", "remaining": 3}
    letters = await alice.results("mailing.send", 3)
    assert sorted(letters) == sorted(f"written to {reader}" for reader in readers)


@pytest.mark.parametrize(
    ("word", "ended"), [("again", ("COMPLETED", {"italian": "ancora"})), ("?", ("FAILED", None))]
)
async def test_a_custom_request_handler_ends_requests(
    alice: Reader, word: str, ended: tuple[str, object]
) -> None:
    _, create = code_blocks("docs/functions.md", "graphql")
    request_id = (await alice.run(create.replace("again", word)))["requestId"]
    read = "query ($id: ID!) { request(id: $id) { state result } }"

    async def end() -> tuple[str, object] | None:
        request = await alice.run(read, id=request_id)
        return None if request["state"] == "PENDING" else (request["state"], request["result"])

    assert await eventually(end, within=ENDED_WITHIN) == ended


async def test_error_of_a_failed_request_is_found_as_described(alice: Reader) -> None:
    _, create = code_blocks("docs/functions.md", "graphql")
    (failures,) = re.findall(r"`({ failures .+?)`", (ROOT / "docs" / "functions.md").read_text())
    request_id = (await alice.run(create.replace("again", "?")))["requestId"]

    async def found() -> Any:
        return (await alice.run(failures))["nodes"]

    (failure,) = await eventually(found, within=ENDED_WITHIN)
    own_id = f"Request:{failure['data']['requestId']}".encode()
    assert request_id == urlsafe_b64encode(own_id).decode().rstrip("=")
    assert failure["error"] == {"name": "KeyError", "message": "'?'"}


async def test_request_of_the_page_of_patterns_is_approved(alice: Reader) -> None:
    ask, approve, *_ = code_blocks("docs/patterns.md", "graphql")
    asked = await alice.run(ask)
    assert asked["request"]["state"] == "PENDING"
    approved = (await alice.run(approve, id=asked["requestId"]))["request"]
    assert (approved["state"], approved["result"]) == ("COMPLETED", {"approved": True})


async def test_batch_of_the_page_of_patterns_is_changed(alice: Reader) -> None:
    _, _, pause, slow, resume, *_ = code_blocks("docs/patterns.md", "graphql")
    await alice.run("mutation { addItems(input: {items: [1, 2, 3]}) { added } }")
    batch_id = (await alice.run(START_SLOW_BATCH))["batchId"]
    version = (await alice.run(pause, id=batch_id))["batch"]["version"]
    slowed = (await alice.run(slow, id=batch_id, version=version))["batch"]
    assert (slowed["batchSize"], slowed["delayMs"]) == (20, 10_000)
    assert (await alice.run(resume, id=batch_id))["batch"]["state"] == "RUNNING"


async def test_recurring_task_of_the_page_of_patterns_is_changed(alice: Reader) -> None:
    *_, faster, runs = code_blocks("docs/patterns.md", "graphql")
    task = (await alice.run(START_TASK))["recurringTask"]
    await alice.results("tasks.runTask", 1)
    found = await alice.run(runs)
    assert found["runCount"] == len(found["runs"]["nodes"]) == 1
    assert (await alice.run(faster))["recurringTask"]["version"] > task["version"]


async def test_the_python_client_works_as_described(
    processes: Processes, settings: Settings
) -> None:
    processes.worker(functions=EXAMPLES)
    python = (sys.executable, str(ROOT / "docs" / "examples" / "from_python.py"))
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment(settings)}
    script = await asyncio.create_subprocess_exec(*python, env=env, stdout=asyncio.subprocess.PIPE)
    output, _ = await script.communicate()
    printed = output.decode().splitlines()
    assert printed[:6] == OF_PYTHON_CLIENT
    assert printed[7].startswith("snapshot")
    assert printed[-1] == f"changed {printed[6]} success"


def test_the_python_client_on_the_page_equals_the_example() -> None:
    code = (ROOT / "docs" / "examples" / "from_python.py").read_text()
    in_readme = [block for block in code_blocks("README.md", "python") if "Ostinato" in block]
    blocks = [*in_readme, *code_blocks("docs/python.md", "python")]
    assert len(blocks) == 9
    places = [(block, textwrap.indent(block, "    ")) for block in blocks]
    assert [block for block, inner in places if block not in code and inner not in code] == []


def test_the_functions_on_the_pages_equal_the_examples() -> None:
    folder = ROOT / "docs" / "examples"
    code = "".join((folder / f"{name}.py").read_text() for name in OF_FUNCTIONS)
    blocks = [*code_blocks("README.md", "python"), *code_blocks("docs/functions.md", "python")]
    blocks = [block for block in blocks if "@" in block]
    assert len(blocks) == 4
    assert [block for block in blocks if block[block.index("@") :] not in code] == []


def test_the_tests_on_the_page_equal_the_examples() -> None:
    folder = ROOT / "docs" / "examples"
    code = "".join(
        (folder / f"{name}.py").read_text() for name in ("newsletter", "test_newsletter")
    )
    *blocks, override = code_blocks("docs/testing.md", "python")
    assert len(blocks) == 6
    assert [block for block in blocks if block not in code] == []
    assert "def ostinato_servers" in override
