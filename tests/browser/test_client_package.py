"""Packs ostinato-client, installs it in projects with React, and follows jobs in Chromium."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.browser.chromium import PAGE, Chromium
from tests.processes import ROOT, TLS, ApiProcess, Processes

pytestmark = pytest.mark.slow

PACKAGE = PAGE / "client"
PROJECTS = Path(__file__).parent / "client"
TOOLS = PAGE / "node_modules" / ".bin"
BUILT_S = 300.0
OTHER_SECRET = SecretStr("another-secret-of-cursors-0123456789abcdef")
SCHEDULE = """mutation { scheduleJob(
  input: {functionName: "tasks.runTask", args: {name: "later"}, runAfterMs: 3600000}
) { jobId } }"""
CANCEL = "mutation($id: ID!) { cancelJob(input: {jobId: $id}) { jobId } }"
LIST = "{ jobs { nodes { id functionName state } } }"


def _run(folder: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=BUILT_S
    )


def _succeed(folder: Path, *command: str | Path) -> str:
    done = _run(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packed package; its sources are copied, because other tests use the built ones."""
    root = tmp_path_factory.mktemp("sources")
    sources = shutil.copytree(
        PACKAGE, root / "frontend-demo" / "client", ignore=shutil.ignore_patterns("dist")
    )
    (root / "frontend-demo" / "node_modules").symlink_to(PAGE / "node_modules")
    shutil.copy(ROOT / "LICENSE", root)
    _succeed(sources, "npm", "pack", "--pack-destination", str(root))
    (packed,) = root.glob("*.tgz")
    return packed


@dataclass(frozen=True, slots=True)
class Project:
    """A user's project in a folder of its own, with the example that belongs to its client."""

    folder: Path

    def check_types(self) -> "subprocess.CompletedProcess[str]":
        return _run(self.folder, TOOLS / "tsc", "-p", ".")


@pytest.fixture(scope="module", params=["urql", "apollo"])
def project(
    request: pytest.FixtureRequest, tarball: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    folder = tmp_path_factory.mktemp(request.param)
    for pattern in ("*.*", f"{request.param}/*", f"{request.param}/.npmrc"):
        for path in PROJECTS.glob(pattern):
            shutil.copy(path, folder)
    example = (PACKAGE / "examples" / f"{request.param}.tsx").read_text()
    (folder / "example.tsx").write_text(example.replace("Bearer …", "Bearer TOKEN_OF_ALICE"))
    _succeed(folder, "npm", "ci")
    _succeed(folder, "npm", "install", "--no-save", tarball)
    return Project(folder)


@pytest.fixture(scope="module")
def built(project: Project) -> Path:
    """Return the folder with the bundled example."""
    _succeed(project.folder, TOOLS / "vite", "build", "--base=./", "--outDir=built")
    return project.folder / "built"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    browser = Chromium()
    yield browser
    browser.close()


def test_package_contains_the_license_and_no_sources(tarball: Path) -> None:
    listing = _succeed(tarball.parent, "tar", "-xzvf", tarball).splitlines()
    names = {path.split("/")[1] for path in listing}
    assert names == {"LICENSE", "README.md", "dist", "package.json"}
    text = (tarball.parent / "package" / "LICENSE").read_text()
    assert text == (ROOT / "LICENSE").read_text()


def test_package_installs_without_the_other_clients(project: Project) -> None:
    installed = {path.name for path in (project.folder / "node_modules").iterdir()}
    assert "ostinato-client" in installed
    assert ("urql" in installed) != ("@apollo" in installed)
    assert not (project.folder / "node_modules" / "ostinato-client" / "node_modules").exists()


def test_example_has_the_types_of_its_selection(project: Project) -> None:
    done = project.check_types()
    assert done.returncode == 0, done.stdout
    wrong = project.folder / "wrong.tsx"
    example = (project.folder / "example.tsx").read_text()
    wrong.write_text(example.replace("{job.state}", "{job.result}"))
    done = project.check_types()
    wrong.unlink()
    assert "wrong.tsx" in done.stdout
    assert "Property 'result' does not exist on type 'Job'" in done.stdout


class User:
    """Alice, who changes her jobs through an API."""

    def __init__(self, api: ApiProcess) -> None:
        self._api = api

    async def run(self, query: str, **variables: object) -> Any:
        headers = {"authorization": f"Bearer {self._api.token('alice')}"}
        async with httpx.AsyncClient(trust_env=False, verify=TLS, headers=headers) as client:
            body = {"query": query, "variables": variables}
            reply = await client.post(self._api.graphql_url, json=body)
        assert "errors" not in reply.json(), reply.text
        return reply.json()["data"]

    async def schedule(self) -> str:
        job_id: str = (await self.run(SCHEDULE))["scheduleJob"]["jobId"]
        return job_id

    async def shown_jobs(self) -> list[tuple[str, str]]:
        """Return the jobs as the examples show them."""
        jobs = (await self.run(LIST))["jobs"]["nodes"]
        return [(job["id"], f"{job['functionName']}: {job['state']}") for job in jobs]


@dataclass(frozen=True, slots=True)
class Restart:
    """What happens while a page follows Alice's jobs: another API changes them meanwhile."""

    processes: Processes
    followed: ApiProcess
    changes: dict[str, object]
    alice: User
    jobs: list[str]

    async def kill(self) -> None:
        self.followed.child.popen.kill()

    async def change(self) -> list[str]:
        """Return the ids of the changed jobs."""
        await self.alice.run(CANCEL, id=self.jobs[1])
        return [self.jobs[1], await self.alice.schedule()]

    async def start(self) -> None:
        await self.processes.api(port=self.followed.settings.port, **self.changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="cursor is resumed"),
        pytest.param({"cursor_secret": OTHER_SECRET}, id="cursor is rejected"),
    ],
)
async def test_list_is_exact_after_the_api_was_killed(
    chromium: Chromium, processes: Processes, built: Path, changes: dict[str, object]
) -> None:
    followed, alice = await processes.api(), User(await processes.api())
    jobs = [await alice.schedule() for _ in range(3)]
    restart = Restart(processes, followed, changes, alice, jobs)
    handlers = {
        "list the jobs": alice.shown_jobs,
        "kill the API": restart.kill,
        "change jobs": restart.change,
        "start the API": restart.start,
    }
    options = {"folder": str(built), "isReset": bool(changes)}
    await chromium.run_scenario("client", followed, handlers, **options)
