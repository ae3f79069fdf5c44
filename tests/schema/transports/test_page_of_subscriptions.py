"""Every example of docs/subscriptions.md, run against the real API."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.processes import TLS, ApiProcess
from tests.schema.nodejs import CLIENT, FOLDER, install_clients, node

PAGE = Path(__file__).parents[3] / "docs" / "subscriptions.md"
README = CLIENT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SNIPPETS = FOLDER / "node_modules" / ".snippets"


def _examples(language: str, api: ApiProcess, page: Path = PAGE) -> list[str]:
    """Return the examples in a language, with the address and a token of the server."""
    module = (CLIENT / "dist" / "index.js").as_uri()
    return [
        code.replace("127.0.0.1:8000", api.address)
        .replace("…", api.token())
        .replace("$TOKEN", api.token())
        .replace('"ostinato-client"', f'"{module}"')
        for found, code in BLOCK.findall(page.read_text())
        if found == language
    ]


def _write_snippets(api: ApiProcess) -> set[str]:
    shutil.rmtree(SNIPPETS, ignore_errors=True)
    SNIPPETS.mkdir()
    shared, *examples = _examples("js", api)
    for number, code in enumerate(examples):
        name = f"{number}.mjs"
        console = f"const console = globalThis.consoleOf({name!r});\n"
        (SNIPPETS / name).write_text(shared + console + code)
    return {path.name for path in SNIPPETS.iterdir()}


async def test_every_javascript_example_receives_ready(api_server: ApiProcess) -> None:
    install_clients()
    names = _write_snippets(api_server)
    outcomes = []
    async with node("snippets.mjs", str(SNIPPETS)) as script:
        while (line := await script.line()) is not None:
            outcomes.append(line)
    assert len(names) == 6
    assert {line.get("ready") for line in outcomes} == names, outcomes


async def test_list_in_the_readme_of_the_client_package_becomes_live(
    api_server: ApiProcess, tmp_path: Path
) -> None:
    install_clients()
    code, *_ = _examples("js", api_server, README)
    log = 'globalThis.consoleOf("list.mjs").log({ kind: "READY" })'
    console = f'const console = {{ log: ({{ status }}) => status === "live" && {log} }};\n'
    token = f'const connectionParams = {{ Authorization: "Bearer {api_server.token()}" }};\n'
    folder = FOLDER / "node_modules" / f".{tmp_path.name}"
    folder.mkdir(exist_ok=True)
    (folder / "list.mjs").write_text(console + token + code)
    async with node("snippets.mjs", str(folder)) as script:
        assert await script.line() == {"ready": "list.mjs"}
    shutil.rmtree(folder)


@pytest.mark.parametrize("language", ["python", "sh"])
async def test_every_other_example_receives_ready(
    api_server: ApiProcess, language: str, tmp_path: Path
) -> None:
    (code,) = _examples(language, api_server)
    path = tmp_path / "example"
    path.write_text(code)
    command = [sys.executable, "-u"] if language == "python" else ["sh"]
    process = await asyncio.create_subprocess_exec(
        *command, str(path), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readuntil(b"READY")
    os.killpg(process.pid, signal.SIGKILL)  # including curl, started by the shell
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined] # otherwise its pipe warns when it is garbage collected


@pytest.mark.parametrize("root", ["jobsChanged", "statsChanged"])
async def test_every_example_operation_returns_data(api_server: ApiProcess, root: str) -> None:
    (query,) = [code for code in _examples("graphql", api_server) if root in code]
    headers = {"authorization": f"Bearer {api_server.token()}", "accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(headers=headers, trust_env=False, verify=TLS, timeout=30) as client,
        client.stream("POST", api_server.graphql_url, json={"query": query}) as response,
    ):
        data = await anext(
            line[6:] async for line in response.aiter_lines() if line.startswith("data: {")
        )
    answer = json.loads(data)
    assert "errors" not in answer, answer
    assert answer["data"][root]
