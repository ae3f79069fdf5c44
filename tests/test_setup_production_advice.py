"""`doctor` separates what is required from what is advised in production, and succeeds without the
latter."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from ostinato.jobs.doctor import diagnose
from ostinato.jobs.end_of_life import MONGODB, REDIS, VALKEY, Product
from ostinato.jobs.findings import Finding
from ostinato.jobs.mongo.access_control import anonymous_url
from ostinato.jobs.settings import Mode, Settings
from tests.conftest import JWT_SECRET
from tests.engine.open_servers import start_open_mongod, start_open_valkey
from tests.processes import ROOT, environment
from tests.test_setup_cli import ostinato

SUBJECTS = {"MongoDB access control", "Redis access control"}
FUNCTION = """from ostinato import Context, action

@action(public=True)
async def greet(ctx: Context, name: str) -> str:
    return f"Hello {name}"
"""
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
        assert production[subject].advised
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
        assert found.advised
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


def test_doctor_prints_what_is_required_before_what_is_advised(settings: Settings) -> None:
    done = ostinato("doctor", variables=environment(settings))
    required, _, advised = done.stdout.partition("Advised:\n")
    assert required.startswith("Required:\nok       token key")
    for subject in ("MongoDB", "replica set", "rights", "Redis", "maxmemory-policy"):
        assert f"ok       {subject}: " in required
    for subject in (*SUBJECTS, "MongoDB support", "transaction limit", "history", "privileges"):
        assert f"  {subject}: " in advised


async def test_doctor_succeeds_with_the_default_limits_of_mongodb(
    settings: Settings, open_urls: dict[str, str]
) -> None:
    with MongoClient[dict[str, Any]](open_urls["mongo_url"]) as client:
        client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=60)
        client.admin.command("replSetResizeOplog", 1, minRetentionHours=0.0)
    production = settings.model_copy(update={**open_urls, "mode": Mode.PRODUCTION})
    done = await asyncio.to_thread(ostinato, "doctor", variables=environment(production))
    assert done.returncode == 0, done.stdout
    for subject in (*SUBJECTS, "transaction limit", "history"):
        assert f"warning  {subject}: " in done.stdout


def test_doctor_fails_if_something_required_is_missing(settings: Settings) -> None:
    without_key = settings.model_copy(update={"jwt_secret": None})
    done = ostinato("doctor", variables=environment(without_key))
    assert done.returncode == 1
    assert "problem " in done.stdout.partition("Advised:\n")[0]


def test_doctor_succeeds_with_the_variables_of_the_readme(
    settings: Settings, tmp_path: Path
) -> None:
    section = (ROOT / "README.md").read_text().partition("In production:")[2]
    printed = dict(re.findall(r"(OSTINATO_\w+)='?([^'\s]+)'?", section.partition("```\n")[0]))
    elided = {"MONGO_URL": settings.mongo_url, "REDIS_URL": settings.redis_url}
    elided["JWT_SECRET"] = JWT_SECRET
    assert [name for name in elided if "…" not in printed[f"OSTINATO_{name}"]] == []
    variables = printed | {f"OSTINATO_{name}": value for name, value in elided.items()}
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp" / "functions.py").write_text(FUNCTION)
    done = ostinato("doctor", folder=tmp_path, variables=variables)
    assert done.returncode == 0, done.stdout
    assert "mode: production" in done.stdout
    assert "→" not in done.stdout.partition("Advised:")[0]


@pytest.mark.parametrize(
    "options", ["", "&authSource=admin&authMechanism=SCRAM-SHA-256", "&tls=true&authsource=x"]
)
def test_credentials_are_removed_from_the_url_of_the_check(options: str) -> None:
    url = anonymous_url(f"mongodb://ada:p%40ss@one:27018/base?directConnection=true{options}")
    assert url.startswith("mongodb://one:27018/base?directConnection=true")
    assert "auth" not in url
    assert ("tls=true" in url) is ("tls=true" in options)
