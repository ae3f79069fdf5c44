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
