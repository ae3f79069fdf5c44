"""What is dear to set up is set up once, whatever the runner's plugins think of groups."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import LONGEST
from tests.distribution import TOGETHER
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


def test_one_worker_has_all_tests_of_a_module_that_shares_its_setup(tmp_path: Path) -> None:
    together, alone = tmp_path / TOGETHER[0], tmp_path / "tests/test_alone.py"
    together.parent.mkdir(parents=True)
    for path, text in ((together, TESTS), (alone, TESTS), (tmp_path / "conftest.py", CONFTEST)):
        path.write_text(text)
    seen = tmp_path / "seen"
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "-p", "xdist", "--rootdir"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "SEEN": str(seen)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    subprocess.run([*command, str(tmp_path), "."], cwd=tmp_path, env=env, check=True)
    dealt = [line.split() for line in seen.read_text().splitlines()]
    assert len({worker for _, worker in dealt}) == 2
    assert len({worker for module, worker in dealt if module == "test_run"}) == 1


def test_the_modules_that_share_exist() -> None:
    assert [name for name in TOGETHER if not (ROOT / name).is_file()] == []


def test_the_modules_that_are_dealt_out_specially_exist() -> None:
    named = (*TOGETHER, *(name if name == "tests/browser" else f"{name}.py" for name in LONGEST))
    assert [name for name in named if not (ROOT / name).exists()] == []
