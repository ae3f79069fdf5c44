"""PostgreSQL for the benchmarks: a cluster of its own, from Debian's packages."""

from pathlib import Path

import pytest

from benchmarks import postgres
from benchmarks.processes import CouldNotRun


def test_missing_postgresql_is_reported_with_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PACKAGES", tmp_path)

    with pytest.raises(CouldNotRun, match="apt-get install postgresql"):
        postgres.binaries()


def test_newest_installed_version_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PACKAGES", tmp_path)
    for version in ("9.6", "15", "13"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()

    assert postgres.binaries() == tmp_path / "15" / "bin"


@pytest.mark.skipif(not postgres.PACKAGES.exists(), reason=postgres.MISSING)
def test_cluster_is_as_durable_as_mongodb_and_empty_after_clean() -> None:
    with postgres.started() as running:
        running.clean()
        running.run("CREATE TABLE jobs (id int);")
        running.clean()

        settings = [running.run(f"SHOW {name};") for name in ("fsync", "synchronous_commit")]
        tables = running.query_number("SELECT count(*) FROM pg_tables WHERE tablename = 'jobs'")

    assert (settings, tables) == (["on", "on"], 0)
