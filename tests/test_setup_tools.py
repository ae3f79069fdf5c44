"""The messages of `make` about missing tools, and the versions in the package files."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.processes import ROOT

CLIENT = ROOT / "frontend-demo" / "client"


def run_script(script: str, *arguments: str, path: Path | None = None) -> tuple[int, str]:
    """Run a script of deploy/, with a folder before PATH; return its exit code and stderr."""
    env = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    words = ["sh", str(ROOT / "deploy" / script), *arguments]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def write_command(folder: Path, name: str, line: str) -> None:
    """Write a command that runs one line of shell into a folder."""
    (folder / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """Return a folder whose command `tool` prints the content of the file `version`."""
    write_command(tmp_path, "tool", f"cat {tmp_path}/version")
    return tmp_path


@pytest.mark.parametrize(
    "version", ["Python 3.11.0", "Python 3.13.1", "v3.11", "Tool 10.2.3", "4.0"]
)
def test_recent_tool_is_accepted(tool: Path, version: str) -> None:
    (tool / "version").write_text(f"{version}\n")
    assert run_script("version.sh", "Tool", "tool", "3.11", "Get one.", path=tool) == (0, "")


@pytest.mark.parametrize("version", ["Tool 3.9.2", "Tool 2.14", "Tool 3.2"])
def test_old_tool_is_reported_with_the_fix(tool: Path, version: str) -> None:
    (tool / "version").write_text(f"{version}\n")
    found = version.removeprefix("Tool ")
    expected = f"Tool 3.11 or newer is required, but `tool` is {found}. Get one."
    assert run_script("version.sh", "Tool", "tool", "3.11", "Get one.", path=tool) == (1, expected)


def test_missing_tool_is_reported_with_the_fix() -> None:
    expected = "Node 20.19 or newer is required, but `no-such-tool` was not found. Get one."
    assert run_script("version.sh", "Node", "no-such-tool", "20.19", "Get one.") == (1, expected)


def test_failed_download_names_the_likely_causes() -> None:
    assert run_script("fetch.sh", "PIP_INDEX_URL", "true") == (0, "")
    code, stderr = run_script("fetch.sh", "PIP_INDEX_URL", "false")
    assert code == 1
    assert "Is this machine online?" in stderr
    assert "for a mirror, set PIP_INDEX_URL" in stderr


@pytest.mark.parametrize(
    ("user", "outcome", "expected"),
    [
        ("1000", 0, "thing is missing. Install it: sudo apt-get install -y thing"),
        ("0", 100, "Cannot install the Debian package thing; see the error above."),
        ("0", 0, "thing is installed, but this command still fails: false"),
    ],
)
def test_missing_package_is_installed_for_root_or_reported(
    tmp_path: Path, user: str, outcome: int, expected: str
) -> None:
    for name, line in (("id", f"echo {user}"), ("apt-get", f"exit {outcome}")):
        write_command(tmp_path, name, line)
    code, stderr = run_script("need.sh", "false", "thing", path=tmp_path)
    assert code == 1
    assert expected in stderr


def test_second_setup_waits_for_the_first(tmp_path: Path) -> None:
    command = ["sh", str(ROOT / "deploy" / "alone.sh")]

    def start(*line: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen([*command, *line], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True)

    with start("sh", "-c", "echo started; cat; echo ended") as first:
        assert first.stdout
        assert first.stdout.readline() == "started\n"
        with start("sh", "-c", "echo second; exit 3") as second:
            assert second.stdout
            assert "waiting for it" in second.stdout.readline()
            assert first.communicate()[0] == "ended\n"
            assert second.communicate()[0] == "second\n"
    assert (first.returncode, second.returncode) == (0, 3)


def test_make_requires_the_versions_of_the_package_files() -> None:
    makefile = (ROOT / "Makefile").read_text()
    package = (ROOT / "frontend-demo" / "package.json").read_text()
    assert "version.sh Node node 20.19 " in makefile
    assert '"node": ">=20.19"' in package
    assert 'version.sh Python "$(PYTHON)" 3.11 ' in makefile
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


def test_client_package_has_the_version_and_license_of_the_python_package() -> None:
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = json.loads((CLIENT / "package.json").read_text())
    assert (package["version"], package["license"]) == (python["version"], python["license"])


@pytest.mark.parametrize("name", ["urql", "apollo"])
def test_readme_of_the_client_package_contains_its_examples(name: str) -> None:
    example = (CLIENT / "examples" / f"{name}.tsx").read_text()
    assert f"```tsx\n{example}```\n" in (CLIENT / "README.md").read_text()
