"""`ostinato init` writes a project whose functions load and whose tests pass."""

import tomllib
from pathlib import Path

import pytest

from ostinato.cli import TEMPLATE
from tests.processes import ROOT
from tests.test_setup_cli import ostinato

FUNCTIONS = {
    "orders.placeOrder": "mutation",
    "orders.sendReceipt": "action",
    "orders.countOpenOrders": "mutation",
    "orders": "batch",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "made" / "shop"
    done = ostinato("init", str(folder))
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
    return folder


def test_init_writes_every_file_of_the_template(project: Path) -> None:
    files = {path.name: path for path in TEMPLATE.iterdir() if path.is_file()}
    assert {path.name for path in project.iterdir()} == set(files)
    assert [name for name in files if (project / name).read_text() != files[name].read_text()] == []
    assert {".env.example", ".gitignore", ".dockerignore", "Dockerfile"} <= set(files)


def test_functions_of_the_project_load(project: Path) -> None:
    done = ostinato("functions", folder=project, variables={"OSTINATO_FUNCTIONS": "orders"})
    assert done.returncode == 0, done.stderr
    rows = dict(line.split()[:2] for line in done.stdout.splitlines())
    assert FUNCTIONS.items() <= rows.items()


def test_init_without_a_folder_writes_into_the_current_one(tmp_path: Path) -> None:
    assert ostinato("init", folder=tmp_path).returncode == 0
    assert (tmp_path / "orders.py").exists()


@pytest.mark.parametrize("name", ["README.md", ".gitignore"])
def test_init_names_an_existing_file_and_writes_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = ostinato("init", str(tmp_path))
    assert done.returncode == 1
    path = tmp_path / name
    assert done.stderr == f"Nothing was written, because of existing files: {path}\n"
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert path.read_text() == "mine"


def test_init_follows_no_dangling_link(tmp_path: Path) -> None:
    (tmp_path / ".env.example").symlink_to(tmp_path / "elsewhere")
    assert ostinato("init", str(tmp_path)).returncode == 1
    assert not (tmp_path / "elsewhere").exists()


def test_init_reports_a_folder_that_is_a_file_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("mine")
    done = ostinato("init", str(tmp_path / "shop"))
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot write ")
    assert done.stderr.count("\n") == 1


def test_requirements_of_the_project_name_the_wheel_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name in ("requirements.txt", "requirements-dev.txt"):
        wheel = f"./wheels/ostinato-{version}-py3-none-any.whl"
        assert wheel in (TEMPLATE / name).read_text()


def test_ignored_files_of_the_project_contain_its_secrets() -> None:
    assert ".env" in (TEMPLATE / ".gitignore").read_text().splitlines()
    rules = (TEMPLATE / ".dockerignore").read_text().splitlines()
    assert rules[1] == "*"
    assert not [rule for rule in rules if rule.startswith("!.")]
    values = [line for line in (TEMPLATE / ".env.example").read_text().splitlines() if "=" in line]
    assert [line for line in values if line[0] != "#" and not line.endswith("=")] == []
