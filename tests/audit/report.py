"""`pytest --audit` tries more, and prints what the tests marked `audit` tried and what held."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import pytest

Tried: TypeAlias = Callable[[str, str, str], None]
"""Records a line of the report: section, what was tried, what happened."""

PROPERTY = "audit"
SENTENCE = "audit sentence"
"""The section and the name of a test, which are its line unless it records others."""


@dataclass(slots=True, kw_only=True)
class Row:
    """A line of the report: of one attempt, or of all cases of a test."""

    what: str
    happened: str
    cases: int = 0
    held: int = 0

    def text(self, width: int) -> str:
        mark = "" if self.held == self.cases else f"FAILED ({self.held} of {self.cases} held) "
        cases = f" ({self.cases} cases)" if self.cases > 1 else ""
        return f"{mark}{self.what + cases:{width}}  {self.happened}".rstrip()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--audit", action="store_true", help="try more, and print what was tried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (marker := item.get_closest_marker("audit")) is not None:
            item.user_properties.append((SENTENCE, (*marker.args, _sentence_of(item.name))))


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Return a function that records a line of the report."""

    def record(section: str, what: str, outcome: str) -> None:
        record_property(PROPERTY, (section, what, outcome))

    return record


@pytest.fixture(scope="session")
def is_full_audit(request: pytest.FixtureRequest) -> bool:
    """Return whether to try everything, instead of a sample."""
    return bool(request.config.getoption("--audit"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--audit"):
        return
    sections: defaultdict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            for section, what, happened in _recorded(report):
                row = Row(what=what, happened=happened)
                row = sections[section].setdefault((report.fspath, what, happened), row)
                row.cases += 1
                row.held += outcome == "passed"
    for section, found in sorted(sections.items()):
        rows = sorted(found.values(), key=lambda row: (not row.happened, row.what))
        terminalreporter.section(f"{section}: {_counts(rows)}")
        width = max((len(row.what) for row in rows if row.happened), default=0)
        for row in rows:
            terminalreporter.write_line(row.text(width))
    all_rows = [row for rows in sections.values() for row in rows.values()]
    terminalreporter.section(f"audit: {_counts(all_rows)}")


def _counts(rows: Sequence[Row]) -> str:
    return f"{sum(row.held for row in rows)} of {sum(row.cases for row in rows)} held"


def _sentence_of(name: str) -> str:
    """Return the name of a test as a sentence, without its parameters."""
    return name.removeprefix("test_").partition("[")[0].replace("_", " ")


def _recorded(report: pytest.TestReport) -> Iterator[tuple[str, str, str]]:
    """Return the lines of a test: what it recorded, or its sentence."""
    lines = [line for name, line in report.user_properties if name == PROPERTY]
    sentences = [line for name, line in report.user_properties if name == SENTENCE]
    for line in lines or sentences:
        section, what, happened = (*map(str, cast("Iterable[object]", line)), "")[:3]
        yield section, what, happened
