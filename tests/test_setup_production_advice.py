"""`doctor` warns, in production, of servers without access control or security fixes."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from ostinato.jobs.doctor import diagnose
from ostinato.jobs.end_of_life import MONGODB, REDIS, VALKEY, Product
from ostinato.jobs.findings import Finding
from ostinato.jobs.mongo.access_control import anonymous_url
from ostinato.jobs.settings import Mode, Settings
from tests.engine.open_servers import start_open_mongod, start_open_valkey
from tests.processes import environment
from tests.test_setup_cli import ostinato

SUBJECTS = {"MongoDB access control", "Redis access control"}
OUTDATED = Product(name="MongoDB", page="https://vendor.example", ends={(6, 0): date(2020, 1, 1)})


@pytest.fixture
async def open_urls(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Return the URLs of servers without access control."""
    mongod, mongo_url = await start_open_mongod(tmp_path)
    valkey, redis_url = await start_open_valkey(tmp_path)
    yield {"mongo_url": mongo_url, "redis_url": redis_url}
    for child in (mongod, valkey):
        await child.stop()


async def findings(settings: Settings, mode: Mode) -> dict[str, Finding]:
    found = await diagnose(settings.model_copy(update={"mode": mode}))
    return {finding.subject: finding for finding in found}


async def test_production_is_warned_of_servers_without_access_control(
    settings: Settings, open_urls: dict[str, str]
) -> None:
    open_settings = settings.model_copy(update=open_urls)
    production = await findings(open_settings, Mode.PRODUCTION)
    for subject in SUBJECTS:
        assert production[subject].is_warning
        assert "off: whoever can connect" in production[subject].detail
        assert production[subject].fix is not None
    development = await findings(open_settings, Mode.DEVELOPMENT)
    assert [development[subject].fix for subject in SUBJECTS] == [None, None]


async def test_servers_that_require_a_password_are_not_warned_of(settings: Settings) -> None:
    found = await findings(settings, Mode.PRODUCTION)
    assert [found[subject].fix for subject in SUBJECTS] == [None, None]


@pytest.mark.parametrize(
    ("today", "end"), [(date(2025, 7, 31), None), (date(2025, 8, 1), "since 2025-07-31")]
)
def test_a_version_is_warned_of_after_its_last_day(today: date, end: str | None) -> None:
    found = MONGODB.check_support("6.0.5", today)
    assert (found.fix is None) is (end is None)
    assert (end or "until 2025-07-31") in found.detail


@pytest.mark.parametrize("version", ["9.7.1", "1.2", "3", "", "x.y", "8"])
def test_a_version_without_a_known_date_is_warned_of_with_the_vendors_page(version: str) -> None:
    for product in (MONGODB, VALKEY, REDIS):
        found = product.check_support(version, date(2026, 1, 1))
        assert found.is_warning
        assert product.page in str(found.fix)


def test_a_version_that_is_supported_without_a_date_is_not_warned_of() -> None:
    found = REDIS.check_support("7.4.8", date(2030, 1, 1))
    assert found.ok
    assert "no end of life is published" in found.detail


def test_doctor_succeeds_despite_warnings_and_shows_them_in_production_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.end_of_life.MONGODB", OUTDATED)
    for mode in (Mode.PRODUCTION, Mode.DEVELOPMENT):
        variables = environment(settings.model_copy(update={"mode": mode}))
        done = ostinato("doctor", variables=variables)
        assert done.returncode == 0, done.stdout
        assert ("warning  MongoDB support" in done.stdout) is (mode is Mode.PRODUCTION)
        assert "problem" not in done.stdout


@pytest.mark.parametrize(
    "options", ["", "&authSource=admin&authMechanism=SCRAM-SHA-256", "&tls=true&authsource=x"]
)
def test_credentials_are_removed_from_the_url_of_the_check(options: str) -> None:
    url = anonymous_url(f"mongodb://ada:p%40ss@one:27018/base?directConnection=true{options}")
    assert url.startswith("mongodb://one:27018/base?directConnection=true")
    assert "auth" not in url
    assert ("tls=true" in url) is ("tls=true" in options)
