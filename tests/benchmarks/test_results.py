"""The figures of benchmarks, and the table of targets that is computed from them."""

from pathlib import Path

import pytest

from benchmarks import page, results
from benchmarks.results import Measured, Results
from benchmarks.targets import ACTIONS, ARQ_TUNED, ONE_WORKER, RATE, TARGETS, targets_table

RUN = results.start("make bench", {"cores": "2"}, {}, is_quick=False)


def measured(system: str, *values: float) -> Measured:
    return Measured(system=system, case=ONE_WORKER, metric=RATE, values=values)


def read(path: Path, **found: list[Measured]) -> Results:
    results.write(RUN, found, path)
    return results.read(path)


def test_a_run_replaces_only_the_parts_that_it_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    read(path, drain=[measured(ACTIONS, 1)], bulk=[measured(ACTIONS, 2)])

    found = read(path, drain=[measured(ACTIONS, 3)])

    assert found.median("drain", ACTIONS, RATE, ONE_WORKER) == 3
    assert found.median("bulk", ACTIONS, RATE, ONE_WORKER) == 2


def test_the_figure_of_several_rounds_is_their_median(tmp_path: Path) -> None:
    found = read(tmp_path / "results.json", drain=[measured(ACTIONS, 9, 1, 2)])

    assert found.median("drain", ACTIONS, RATE, ONE_WORKER) == 2


@pytest.mark.parametrize(
    ("ours", "text"), [(3_500, "3.50 x: met"), (3_400, "3.40 x: not met"), (None, "not measured")]
)
def test_a_ratio_is_met_at_its_limit(tmp_path: Path, ours: float | None, text: str) -> None:
    values = () if ours is None else (ours,)
    drained = [measured(ACTIONS, *values), measured(ARQ_TUNED, 1_000)]

    found = read(tmp_path / "results.json", drain=drained)

    assert TARGETS[0].row(found)[2] == text


def test_every_target_has_a_row_without_any_run(tmp_path: Path) -> None:
    table = targets_table(TARGETS, results.read(tmp_path / "missing.json"))

    assert table.count("not measured") == len(TARGETS)


def test_text_around_the_marks_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before <a> old <b> after")

    page.write(["new"], path, ("<a>", "<b>"))

    assert path.read_text() == "before <a>\n\nnew\n\n<b> after"


def test_a_command_is_what_a_person_types() -> None:
    assert results.command("bench", []) == "make bench"
    assert results.command("bench", ["--rounds", "1"]) == "make bench ARGS='--rounds 1'"
