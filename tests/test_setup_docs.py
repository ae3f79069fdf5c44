"""The documents match the code: generated pages, operations, links and options."""

import re
import tomllib
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

import ostinato
from ostinato.jobs import lifecycle_page
from ostinato.jobs.decorators import FunctionOptions
from ostinato.jobs.handler_decorators import BatchOptions
from ostinato.jobs.mongo.collections import READ_ONLY
from ostinato.jobs.settings import Settings
from ostinato.jobs.settings_page import render_page
from tests.test_style import TESTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TESTS_PAGE = ROOT / "tests" / "README.md"
PAGES = [ROOT / "README.md", TESTS_PAGE, *sorted((ROOT / "docs").rglob("*.md"))]
LAYERS = ("jobs", "schema", "resolvers")
SCREENSHOTS = ROOT / "docs" / "screenshots"
MAX_SCREENSHOTS_BYTES = 3_000_000
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text()


def _operations() -> list[str]:
    pages = README + "".join(
        (ROOT / "docs" / f"{name}.md").read_text() for name in ("functions", "jobs")
    )
    return re.findall(r"^```graphql\n(.*?)^```", pages, re.M | re.S)


@pytest.mark.parametrize("document", _operations())
def test_operations_in_the_docs_are_valid(document: str) -> None:
    sdl = (ROOT / "schema" / "schema.graphql").read_text()
    assert validate(build_schema(sdl), parse(document)) == []


@pytest.mark.parametrize("kind", [FunctionOptions, BatchOptions])
def test_every_function_option_is_documented(kind: type[object]) -> None:
    page = (ROOT / "docs" / "functions.md").read_text()
    rows = " ".join(re.findall(r"^\| (`.+?`) \|", page, re.M))
    assert [name for name in kind.__annotations__ if f"`{name}`" not in rows] == []


def test_every_collection_that_functions_cannot_write_is_documented() -> None:
    page = (ROOT / "docs" / "functions.md").read_text()
    listed = page.partition("manages: ")[2].partition(" and MongoDB's own")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(READ_ONLY)


def test_every_public_name_is_documented() -> None:
    page = "".join(
        (ROOT / "docs" / f"{name}.md").read_text() for name in ("functions", "python", "embedding")
    )
    names = set(ostinato.__all__)
    assert {name for name in names if not re.search(rf"\b{name}\b", page)} == set()


def test_every_test_named_in_the_guarantees_exists() -> None:
    table = README.partition("## Guarantees")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!guarantee|fault|--)(.+) \|$", GUARANTEES + table, re.M)
    named = [re.findall(r"`([\w/]+\.py)::(\w+)`", row) for row in rows]
    assert [row for row, tests in zip(rows, named, strict=True) if not tests] == []
    assert [pair for tests in named for pair in tests if not _has_test(*pair)] == []
    assert len(rows) > 50


def test_every_product_folder_has_tests_or_a_row_in_the_tests_readme() -> None:
    packages = [path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py")]
    folders = {str(path.relative_to(ROOT)) for path in packages}
    named = set(re.findall(r"`([\w/]+)/`", TESTS_PAGE.read_text()))
    assert folders - named == {"schema"}
    tests = [path for path in TESTS if path.name.startswith("test_")]
    tested = {str(path.parent.relative_to(TESTS_PAGE.parent)) for path in tests}
    assert tested - named == {"."}


def _has_test(file: str, name: str) -> bool:
    path = ROOT / "tests" / file
    return (
        path.exists() and re.search(rf"^(async )?def {name}\(", path.read_text(), re.M) is not None
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_in_the_docs_exist(page: Path) -> None:
    text = page.read_text()
    linked = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", text)
    assert [name for name, _ in linked if not (page.parent / name).exists()] == []
    wanted = [(page.parent / name if name else page, place) for name, place in linked if place]
    assert [pair for pair in wanted if pair[1] not in _anchors(pair[0])] == []
    quoted = re.findall(r"`((?:jobs|schema|resolvers|docs|deploy|tests)/[\w/]+(?:\.\w+)?/?)`", text)
    assert [name for name in quoted if not (ROOT / name).exists()] == []


def test_every_page_of_the_application_has_its_screenshots_in_the_docs() -> None:
    source = (ROOT / "frontend-demo" / "src" / "app" / "pages.ts").read_text()
    paths = re.findall(r"\bpath: '([^']+)'", source)
    names = [path.removesuffix("s/:id") for path in paths]
    taken = {f"{name}-{look}.webp" for name in names for look in ("wide", "dark", "phone")}
    files = {path.name for path in SCREENSHOTS.iterdir()}
    assert taken | {"graphiql.webp"} == files, "run: make screenshots"
    page = (ROOT / "docs" / "pages.md").read_text()
    assert files == set(re.findall(r"\]\(screenshots/([^)]+)\)", page))
    assert sum(path.stat().st_size for path in SCREENSHOTS.iterdir()) < MAX_SCREENSHOTS_BYTES


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def _terms(text: str) -> list[str]:
    tables = re.findall(r"^\| term \| meaning \|\n\|---\|---\|\n((?:\|.+\n)+)", text, re.M)
    return [term for table in tables for term in re.findall(r"^\| ([^|]+) \|", table, re.M)]


def test_each_term_is_defined_once() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    operating = _terms((ROOT / "docs" / "operating.md").read_text())
    link = re.search(r"\(operating\.md#terms\) defines ([^.]+)\.", architecture)
    assert link is not None
    assert set(re.findall(r"\*([^*]+)\*", link[1])) == set(operating)
    terms = [*operating, *_terms(architecture)]
    assert len(terms) == len(set(terms)) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_call_a_signal_a_signal(page: Path) -> None:
    others = re.compile(r"\b(wake-ups?|doorbells?|hints?)\b", re.I)
    assert others.findall(page.read_text()) == []


def test_journey_names_one_file_per_step_and_at_most_ten() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    journeys = page.partition("## Four journeys")[2].partition("\n## ")[0].split("\n### ")[1:]
    for journey in journeys:
        steps = re.findall(r"^\d+\. (?:.+\n)+?(?=\d+\. |\n|\Z)", journey, re.M)
        opened = [re.findall(r"`(\S+\.py)`", re.sub(r"\([^()]*\)", "", step)) for step in steps]
        assert [files for files in opened if len(set(files)) > 1] == []
        assert 0 < len({file for files in opened for file in files}) <= 10
    assert len(journeys) == 4


def test_configuration_page_is_generated_from_the_settings() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == render_page(), "run: make docs"


def test_lifecycle_page_is_generated_from_the_transitions() -> None:
    assert (ROOT / "docs" / "lifecycle.md").read_text() == lifecycle_page.page(), "run: make docs"


def test_every_setting_has_a_description() -> None:
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
    wanted = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    names = {re.split(r"[\[=<>;~! ]", requirement)[0] for requirement in wanted}
    text = (ROOT / "docs" / "dependencies.md").read_text()
    justified = {
        name.strip() for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for name in row.split(",")
    }
    assert names - justified == set()


def test_lock_files_are_installed_without_dependency_resolution() -> None:
    """If pip resolved dependencies, it would find releases newer than the lock, and stop."""
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if ".lock" in line]
    installs = [line for line in installs if " install " in line]
    assert installs != []
    assert [line for line in installs if "--no-deps --require-hashes" not in line] == []


def test_every_pin_has_a_hash() -> None:
    for lock in (ROOT / "deploy").glob("*.lock"):
        pins = re.split(r"^(?=\S+==)", lock.read_text(), flags=re.M)
        assert [pin for pin in pins if "==" in pin and "--hash=sha256:" not in pin] == []
