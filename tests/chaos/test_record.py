"""Runs of several sessions, and concurrent runs, add up to one record."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.record import END, START, Record, current_environment
from benchmarks.chaos.recovery import Recovery
from benchmarks.chaos.run import NOT_FINISHED, RunResult, crashed
from benchmarks.chaos.summary import Entry, Environment, line
from tests.processes import ROOT

ENVIRONMENT = Environment(machine={"cores": "2"}, load=0.5, versions={"mongod": "6.0.5"})
ADD_MANY = """
import sys
from pathlib import Path
from benchmarks.chaos.record import Record
from tests.chaos.test_record import ENVIRONMENT, run_result
record = Record(Path(sys.argv[1]), Path(sys.argv[2]))
for seed in range(40):
    record.add(run_result(sys.argv[3], seed), ENVIRONMENT)
"""


def run_result(
    fault: str = "flush", seed: int = 1, *violations: str, recovered_s: float = 3.0
) -> RunResult:
    recovery = Recovery(waiting=9, p50_s=1.0, p99_s=2.0, max_s=2.5, last_s=recovered_s)
    return RunResult(
        fault=fault,
        seed=seed,
        acknowledged=10_001,
        unknown=2,
        faults=4,
        recovery=recovery,
        took_s=44.44,
        violations={name: ["details"] for name in violations},
    )


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "CHAOS.md").write_text(f"# Chaos\n{START}\n{END}\n\nText below the table.\n")
    return Record(tmp_path / "chaos.log", tmp_path / "CHAOS.md")


def test_runs_of_several_sessions_add_up(record: Record) -> None:
    for seed, recovered_s in enumerate([3.0, 9.0, 4.0]):
        record.add(run_result("flush", seed, recovered_s=recovered_s), ENVIRONMENT)
    record.add(run_result("worker", 7, "a job has not ended"), ENVIRONMENT)
    text = record.page.read_text()
    assert "| flush | 3 | 3 | 12 | 30,003 | 6 | 4.0 s | 9.0 s |" in text
    assert "| worker | 1 | 0 | 4 | 10,001 | 2 | 3.0 s | 3.0 s |" in text
    assert text.index("| worker") < text.index("| flush")  # as the faults are listed
    assert all(line(entry) in text for entry in record.read())
    assert "FAILED: a job has not ended" in text


def test_manually_written_text_is_preserved(record: Record) -> None:
    record.add(run_result(), ENVIRONMENT)
    record.add(run_result(), ENVIRONMENT)
    text = record.page.read_text()
    assert text.startswith(f"# Chaos\n{START}\n")
    assert text.endswith(f"\n{END}\n\nText below the table.\n")


def test_recorded_run_round_trips_through_the_log(record: Record) -> None:
    record.add(run_result("mix", 3, "a key gave two jobs"), ENVIRONMENT)
    (entry,) = record.read()
    assert entry == Entry.of(run_result("mix", 3, "a key gave two jobs"), ENVIRONMENT)
    assert (entry.took_s, entry.is_ok, list(entry.violations)) == (
        *(44.4, False),
        ["a key gave two jobs"],
    )


def test_broken_run_is_counted_without_a_recovery_time(record: Record) -> None:
    record.add(run_result(recovered_s=5.0), ENVIRONMENT)
    record.add(crashed("flush", 2, TimeoutError(), 600.0), ENVIRONMENT)
    text = record.page.read_text()
    assert "| flush | 2 | 1 | 4 | 10,001 | 2 | 5.0 s | 5.0 s |" in text
    assert f"FAILED: {NOT_FINISHED}" in text


def test_concurrent_recordings_lose_nothing(record: Record) -> None:
    command = [sys.executable, "-c", ADD_MANY, str(record.log), str(record.page)]
    processes = [subprocess.Popen([*command, fault], cwd=ROOT) for fault in ("flush", "mix")]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert {(entry.fault, entry.seed) for entry in record.read()} == {
        (fault, seed) for fault in ("flush", "mix") for seed in range(40)
    }
    assert "| flush | 40 | 40 |" in record.page.read_text()
    assert "| mix | 40 | 40 |" in record.page.read_text()


def test_page_is_generated_from_the_log(tmp_path: Path) -> None:
    page = tmp_path / "CHAOS.md"
    page.write_text(Record().page.read_text())
    Record(Record().log, page).regenerate()
    assert page.read_text() == Record().page.read_text()


def test_record_names_its_machine_and_versions() -> None:
    environment = current_environment()
    assert {"cores", "processor"} <= environment.machine.keys()
    assert {"ostinato", "mongod", "Valkey"} <= environment.versions.keys()
