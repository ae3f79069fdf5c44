"""The settings: defaults, types and validation."""

import socket
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from pymongo import MongoClient
from redis import Redis

from ostinato.jobs.settings import Settings

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # the tests bind nothing to it


def test_lists_are_read_from_comma_separated_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_FUNCTIONS", "one.module, another ,")
    assert Settings().functions == ("one.module", "another")


def test_short_secret_is_rejected_by_name() -> None:
    with pytest.raises(ValidationError, match=r"jwt_secret.*\n.*at least 32 bytes"):
        Settings(jwt_secret=SecretStr("short"))


def test_proxies_must_be_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().trusted_proxies == ()
    monkeypatch.setenv("OSTINATO_TRUSTED_PROXIES", "10.1.0.0/16, ::1,*")
    assert Settings().trusted_proxies == ("10.1.0.0/16", "::1", "*")
    for wrong in ("10.1.2.3/16", "proxy.example", "10.1.2"):
        monkeypatch.setenv("OSTINATO_TRUSTED_PROXIES", wrong)
        with pytest.raises(ValidationError, match="must be an address, a network or"):
            Settings()


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        *(("127.0.0.1", f"{name}:8000") for name in ("localhost", "127.0.0.1", "127.9.9.9")),
        *(("127.0.0.1", f"{name}:8000") for name in ("[::1]", ANY_ADDRESS, "[::]", "LOCALHOST")),
        *(("127.0.0.1", f"{name}:8000") for name in ("[::ffff:127.0.0.1]", socket.gethostname())),
        ("192.0.2.1", "192.0.2.1:8000"),
        ("api.example", "API.example:8000"),
    ],
)
def test_the_apis_own_address_is_not_an_allowed_host(host: str, entry: str) -> None:
    with pytest.raises(ValidationError, match=r"allowed_hosts_http\n.*is the API's own address"):
        Settings(host=host, port=8_000, allowed_hosts_http=("api.example.com", entry))


def test_other_ports_and_hosts_are_allowed_hosts() -> None:
    entries = ("localhost", "localhost:8001", "example.com:8000", "[::1]:8001", "192.0.2.1:8000")
    assert Settings(port=8_000, allowed_hosts_http=entries).allowed_hosts_http == entries


@pytest.mark.parametrize("entry", ["example.com:99999", "http://example.com", "a b", "[::1", ":80"])
def test_an_allowed_host_is_a_host_with_an_optional_port(entry: str) -> None:
    with pytest.raises(ValidationError, match=r"must be `host` or `host:port`"):
        Settings(allowed_hosts_http=(entry,))


def test_rate_is_zero_or_at_least_one_in_17_minutes() -> None:
    assert Settings(operations_per_second=0).operations_per_second == 0
    with pytest.raises(ValidationError, match=r"at least 0.001, got 1e-05"):
        Settings(failed_tokens_per_second=0.00001)


def test_lease_is_longer_than_two_missed_heartbeats() -> None:
    with pytest.raises(ValidationError, match="three times heartbeat_ms"):
        Settings(lease_ms=1_000, heartbeat_ms=500)


@pytest.mark.parametrize("wrong", ["0", "-0.5", "1.01", "nan", "half"])
def test_owner_slot_share_is_above_0_and_at_most_1(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    assert Settings().owner_slot_share == 0.5
    monkeypatch.setenv("OSTINATO_OWNER_SLOT_SHARE", wrong)
    with pytest.raises(ValidationError, match="owner_slot_share"):
        Settings()


def test_secrets_and_urls_are_not_logged(settings: Settings) -> None:
    shown = repr(settings)
    assert "0123456789" not in shown
    assert "mongodb://" not in shown


@pytest.mark.parametrize("variable", ["JWT_SECRET", "LEASE_MS"])
def test_error_about_a_setting_contains_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """An application that mounts Ostinato may log the error."""
    monkeypatch.setenv("OSTINATO_MONGO_URL", "m://:123")
    monkeypatch.setenv(f"OSTINATO_{variable}", "1230")
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert variable.lower() in str(raised.value)
    assert "123" not in f"{raised.value} {raised.value!r}"


def test_cursor_key_is_derived_without_revealing_the_jwt_secret(settings: Settings) -> None:
    assert len(settings.cursor_key) == 32


def test_cursor_key_without_any_secret_names_the_variable_to_set() -> None:
    with pytest.raises(ValueError, match="OSTINATO_CURSOR_SECRET"):
        _ = Settings(jwt_secret=None, cursor_secret=None).cursor_key


def test_each_test_starts_with_empty_servers(
    worker_settings: Settings,
    mongo_admin: MongoClient[dict[str, Any]],
    redis_admin: Redis,
    request: pytest.FixtureRequest,
) -> None:
    things = mongo_admin[worker_settings.database]["things"]
    things.insert_one({"left": "by another test"})
    redis_admin.set("left", "by another test")
    request.getfixturevalue("settings")
    assert things.count_documents({}) == 0
    assert redis_admin.keys("*") == []
