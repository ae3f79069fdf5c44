"""Holds the documents that are made from the code to the code."""

import re
import tomllib
from pathlib import Path

from jobs import lifecycle_page
from jobs.settings import Settings
from jobs.settings_page import page

ROOT = Path(__file__).parent.parent


def test_the_configuration_page_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "run: make docs"


def test_the_lifecycle_page_is_what_the_moves_say() -> None:
    assert (ROOT / "docs" / "lifecycle.md").read_text() == lifecycle_page.page(), "run: make docs"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_duration_and_size_names_its_unit() -> None:
    units = {"_ms": "milliseconds", "_s": "econds", "_bytes": "bytes"}
    assert [
        name
        for name, field in Settings.model_fields.items()
        for end, unit in units.items()
        if name.endswith(end) and unit not in (field.description or "")
    ] == []


def test_every_dependency_is_justified() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(each for extra in extras for each in extra)]
    names = {re.split(r"[\[=<>;~! ]", each)[0] for each in wanted}
    text = (ROOT / "docs" / "dependencies.md").read_text()
    justified = {
        name.strip() for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for name in row.split(",")
    }
    assert names - justified == set()


def test_every_pin_carries_a_hash() -> None:
    for lock in (ROOT / "deploy").glob("*.lock"):
        pins = re.split(r"^(?=\S+==)", lock.read_text(), flags=re.M)
        assert [pin for pin in pins if "==" in pin and "--hash=sha256:" not in pin] == []
