"""A small chaos run succeeds, and a change to its files is detected."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.chaos import history
from benchmarks.chaos.live import run as live
from benchmarks.chaos.outbox import run as outbox
from benchmarks.chaos.run import RunResult, clean, run
from benchmarks.chaos.summary import line
from tests.processes import ROOT
from tests.schema.nodejs import install_clients

pytestmark = pytest.mark.slow

JOBS = 150
EFFECT = "an effect is doubled or missing"
CHANGES: dict[str, tuple[str, Callable[[str], str], str]] = {
    "duplicate effect": ("effects", lambda line: line * 2, EFFECT),
    "missing effect": ("effects", lambda line: "", EFFECT),
    "changed state": ("jobs", lambda line: line.replace('"success"', '"failed"'), "a job ended"),
    "changed event number": (
        "jobs",
        lambda line: line.replace('"seq": 2', '"seq": 3'),
        "a timeline is",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="module")
def result(folder: Path) -> RunResult:
    return run("flush", 7, JOBS, folder)


def run_checker(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the checker on a folder in a separate process."""
    command = [sys.executable, "-m", "benchmarks.chaos.checker", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines_of(folder: Path, collection: str) -> list[str]:
    """Return the lines of the dump that contain effects, or ordinary jobs that succeeded."""
    lines = (folder / history.DATABASE).read_text().splitlines()
    entries = [(line, json.loads(line)) for line in lines]
    return [
        line
        for line, entry in entries
        if entry["in"] == collection and entry["document"].get("state", "success") == "success"
    ]


def test_chaos_run_finds_no_violation(result: RunResult, folder: Path) -> None:
    assert result.violations == {}
    assert result.acknowledged >= JOBS
    assert result.faults >= 4
    assert line(result).endswith("ok")
    assert run_checker(folder).stdout == "no violation found\n"


def test_live_chaos_run_finds_no_violation(tmp_path: Path) -> None:
    scale = live.Scale(clients=10, faults=("api",))
    result = live.run(live.FAULT, 7, JOBS, tmp_path, scale)
    clean(tmp_path, entirely=True)
    assert result.violations == {}
    assert result.faults >= 1
    assert result.acknowledged >= JOBS * live.JOBS_SHARE
    assert result.details.startswith("10 clients, ")
    assert " 0 resumed" not in result.details


def test_outbox_run_finds_no_violation(tmp_path: Path) -> None:
    install_clients()
    result = outbox.run(outbox.FAULT, 7, 400, tmp_path, min_faults=3)
    clean(tmp_path, entirely=True)
    assert result.violations == {}
    assert (result.acknowledged, result.faults >= 3) == (40, True)


@pytest.mark.parametrize("change_name", CHANGES)
def test_change_to_the_files_of_a_run_is_detected(
    result: RunResult, folder: Path, tmp_path: Path, change_name: str
) -> None:
    collection, change, found = CHANGES[change_name]
    for name in (history.OPERATIONS, history.NOTES, history.FAULTS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole, text = lines_of(folder, collection)[0], (folder / history.DATABASE).read_text()
    (tmp_path / history.DATABASE).write_text(text.replace(f"{whole}\n", change(f"{whole}\n")))
    checked = run_checker(tmp_path)
    assert (checked.returncode, found in checked.stdout) == (1, True), (
        checked.stdout + checked.stderr
    )


def test_kept_run_folder_has_logs_but_no_server_data(tmp_path: Path) -> None:
    for name in ("mongo", "valkey", "logs"):
        (tmp_path / name).mkdir()
    clean(tmp_path, entirely=False)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    clean(tmp_path, entirely=True)
    assert not tmp_path.exists()
