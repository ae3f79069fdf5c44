"""A small chaos run succeeds, and a change to its files is detected."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.chaos import history
from benchmarks.chaos.live import run as live
from benchmarks.chaos.run import Verdict, clean, run
from benchmarks.chaos.summary import line
from tests.processes import ROOT

pytestmark = pytest.mark.slow

JOBS = 150
EFFECT = "an effect is doubled or missing"
CHANGES: dict[str, tuple[str, Callable[[str], str], str]] = {
    "an effect more": ("effects", lambda line: line * 2, EFFECT),
    "an effect less": ("effects", lambda line: "", EFFECT),
    "another state": ("jobs", lambda line: line.replace('"success"', '"failed"'), "a job ended"),
    "another event": ("jobs", lambda line: line.replace('"seq": 2', '"seq": 3'), "a timeline is"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="module")
def verdict(folder: Path) -> Verdict:
    return run("flush", 7, JOBS, folder)


def judge(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check a run's files in a separate process."""
    command = [sys.executable, "-m", "benchmarks.chaos.checker", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines_of(folder: Path, collection: str) -> list[str]:
    """Return the lines of the dump that contain effects, or ordinary jobs that succeeded."""
    lines = (folder / history.DATABASE).read_text().splitlines()
    found = [(each, json.loads(each)) for each in lines]
    return [
        each
        for each, entry in found
        if entry["in"] == collection and entry["document"].get("state", "success") == "success"
    ]


def test_chaos_run_finds_no_violation(verdict: Verdict, folder: Path) -> None:
    assert verdict.violations == {}
    assert verdict.acknowledged >= JOBS
    assert verdict.faults >= 4
    assert line(verdict).endswith("ok")
    assert judge(folder).stdout == "every promise was kept\n"


def test_live_chaos_run_finds_no_violation(tmp_path: Path) -> None:
    extent = live.Extent(clients=10, ways=("api",))
    verdict = live.run(live.FAULT, 7, JOBS, tmp_path, extent)
    clean(tmp_path, entirely=True)
    assert verdict.violations == {}
    assert verdict.faults >= 1
    assert verdict.acknowledged >= JOBS * live.JOBS_SHARE
    assert verdict.besides.startswith("10 clients, ")
    assert " 0 resumed" not in verdict.besides


@pytest.mark.parametrize("what", CHANGES)
def test_change_to_the_files_of_a_run_is_detected(
    verdict: Verdict, folder: Path, tmp_path: Path, what: str
) -> None:
    collection, change, found = CHANGES[what]
    for name in (history.OPERATIONS, history.NOTES, history.FAULTS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole, text = lines_of(folder, collection)[0], (folder / history.DATABASE).read_text()
    (tmp_path / history.DATABASE).write_text(text.replace(f"{whole}\n", change(f"{whole}\n")))
    judged = judge(tmp_path)
    assert (judged.returncode, found in judged.stdout) == (1, True), judged.stdout + judged.stderr


def test_kept_run_folder_has_logs_but_no_server_data(tmp_path: Path) -> None:
    for name in ("mongo", "valkey", "logs"):
        (tmp_path / name).mkdir()
    clean(tmp_path, entirely=False)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    clean(tmp_path, entirely=True)
    assert not tmp_path.exists()
