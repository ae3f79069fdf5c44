"""Runs of several sessions, and concurrent runs, add up to one record."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.record import END, START, Record, surroundings
from benchmarks.chaos.recovery import Recovery
from benchmarks.chaos.run import NOT_ENDED, Verdict, broken_down
from benchmarks.chaos.summary import Entry, Surroundings, line
from tests.processes import ROOT

AROUND = Surroundings(machine={"cores": "2"}, load=0.5, versions={"mongod": "6.0.5"})
ADD_MANY = """
import sys
from pathlib import Path
from benchmarks.chaos.record import Record
from tests.chaos.test_record import AROUND, verdict
record = Record(Path(sys.argv[1]), Path(sys.argv[2]))
for seed in range(40):
    record.add(verdict(sys.argv[3], seed), AROUND)
"""


def verdict(fault: str = "flush", seed: int = 1, *broken: str, recovered_s: float = 3.0) -> Verdict:
    recovery = Recovery(waiting=9, p50_s=1.0, p99_s=2.0, max_s=2.5, last_s=recovered_s)
    return Verdict(
        fault=fault,
        seed=seed,
        acknowledged=10_001,
        unknown=2,
        faults=4,
        recovery=recovery,
        took_s=44.44,
        violations={what: ["so"] for what in broken},
    )


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "CHAOS.md").write_text(f"# Torture\n{START}\n{END}\n\nWhat people wrote.\n")
    return Record(tmp_path / "chaos.log", tmp_path / "CHAOS.md")


def test_runs_of_several_sessions_add_up(record: Record) -> None:
    for seed, recovered_s in enumerate([3.0, 9.0, 4.0]):
        record.add(verdict("flush", seed, recovered_s=recovered_s), AROUND)
    record.add(verdict("worker", 7, "a job is undone"), AROUND)
    text = record.page.read_text()
    assert "| flush | 3 | 3 | 12 | 30,003 | 6 | 4.0 s | 9.0 s |" in text
    assert "| worker | 1 | 0 | 4 | 10,001 | 2 | 3.0 s | 3.0 s |" in text
    assert text.index("| worker") < text.index("| flush")  # as the faults are listed
    assert all(line(entry) in text for entry in record.read())
    assert "BROKEN: a job is undone" in text


def test_manually_written_text_is_preserved(record: Record) -> None:
    record.add(verdict(), AROUND)
    record.add(verdict(), AROUND)
    text = record.page.read_text()
    assert text.startswith(f"# Torture\n{START}\n")
    assert text.endswith(f"\n{END}\n\nWhat people wrote.\n")


def test_recorded_run_round_trips_through_the_log(record: Record) -> None:
    record.add(verdict("mix", 3, "a key gave two jobs"), AROUND)
    (entry,) = record.read()
    assert entry == Entry.of(verdict("mix", 3, "a key gave two jobs"), AROUND)
    assert (entry.took_s, entry.is_ok, list(entry.violations)) == (
        *(44.4, False),
        ["a key gave two jobs"],
    )


def test_broken_run_is_counted_without_a_recovery_time(record: Record) -> None:
    record.add(verdict(recovered_s=5.0), AROUND)
    record.add(broken_down("flush", 2, TimeoutError(), 600.0), AROUND)
    text = record.page.read_text()
    assert "| flush | 2 | 1 | 4 | 10,001 | 2 | 5.0 s | 5.0 s |" in text
    assert f"BROKEN: {NOT_ENDED}" in text


def test_concurrent_recordings_lose_nothing(record: Record) -> None:
    command = [sys.executable, "-c", ADD_MANY, str(record.log), str(record.page)]
    both = [subprocess.Popen([*command, fault], cwd=ROOT) for fault in ("flush", "mix")]
    assert [each.wait(timeout=60) for each in both] == [0, 0]
    assert {(entry.fault, entry.seed) for entry in record.read()} == {
        (fault, seed) for fault in ("flush", "mix") for seed in range(40)
    }
    assert "| flush | 40 | 40 |" in record.page.read_text()
    assert "| mix | 40 | 40 |" in record.page.read_text()


def test_page_is_generated_from_the_log(tmp_path: Path) -> None:
    page = tmp_path / "CHAOS.md"
    page.write_text(Record().page.read_text())
    Record(Record().log, page).renew()
    assert page.read_text() == Record().page.read_text()


def test_record_names_its_machine_and_versions() -> None:
    around = surroundings()
    assert {"cores", "processor"} <= around.machine.keys()
    assert {"ostinato", "mongod", "Valkey"} <= around.versions.keys()
