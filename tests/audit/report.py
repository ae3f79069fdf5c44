"""`pytest --audit` tries more, and prints what the tests of tests/audit tried and what held."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import pytest

Tried: TypeAlias = Callable[[str, str, str], None]
"""Records a line of the report: section, what was tried, what happened."""

PROPERTY = "audit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--audit", action="store_true", help="try more, and print what was tried")


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
    sections: dict[str, dict[str, tuple[str, bool]]] = {}
    for held, outcome in ((True, "passed"), (False, "failed")):
        for section, what, happened in _recorded(terminalreporter.getreports(outcome)):
            sections.setdefault(section, {})[what] = (happened, held)
    for section, rows in sorted(sections.items()):
        held_count = sum(held for _, held in rows.values())
        terminalreporter.section(f"{section}: {held_count} of {len(rows)} held")
        width = max(map(len, rows))
        for what, (happened, held) in rows.items():
            terminalreporter.write_line(f"{'' if held else 'FAILED '}{what:{width}}  {happened}")


def _recorded(reports: Iterable[pytest.TestReport]) -> Iterator[tuple[str, str, str]]:
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list | tuple):
                section, what, happened = map(str, value)
                yield section, what, happened
