"""Modules with an expensive setup run on one worker of the test runner."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import SLOW_MODULES
from tests.distribution import GROUPED_MODULES
from tests.processes import ROOT

TESTS = """
import os
from pathlib import Path
import pytest
@pytest.mark.parametrize("number", range(12))
def test_it(number: int) -> None:
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(f"{Path(__file__).stem} {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""
CONFTEST = """
from tests.distribution import Distribution
def pytest_xdist_make_scheduler(config, log):
    return Distribution(config, log)
"""


def test_one_worker_runs_all_tests_of_a_grouped_module(tmp_path: Path) -> None:
    grouped, ungrouped = tmp_path / GROUPED_MODULES[0], tmp_path / "tests/test_alone.py"
    grouped.parent.mkdir(parents=True)
    for path, text in ((grouped, TESTS), (ungrouped, TESTS), (tmp_path / "conftest.py", CONFTEST)):
        path.write_text(text)
    seen = tmp_path / "seen"
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "-p", "xdist", "--rootdir"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "SEEN": str(seen)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    subprocess.run([*command, str(tmp_path), "."], cwd=tmp_path, env=env, check=True)
    distributed = [line.split() for line in seen.read_text().splitlines()]
    assert len({worker for _, worker in distributed}) == 2
    assert len({worker for module, worker in distributed if module == "test_run"}) == 1


def test_the_grouped_modules_exist() -> None:
    assert [name for name in GROUPED_MODULES if not (ROOT / name).is_file()] == []


def test_the_slow_modules_exist() -> None:
    named = (
        *GROUPED_MODULES,
        *(name if name == "tests/browser" else f"{name}.py" for name in SLOW_MODULES),
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
