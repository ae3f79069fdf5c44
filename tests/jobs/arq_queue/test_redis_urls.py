"""The options of a Redis URL apply to every connection: workers, API and doctor."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue.connection import connect, url_problem
from ostinato.jobs.arq_queue.diagnostics import inspect_redis
from ostinato.jobs.arq_queue.notifier import Notifier
from ostinato.jobs.embedded.servers import start_valkey
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from tests.engine.proxy import proxied
from tests.engine.rig import Rig, run_worker

PASSWORD = "p@ss/w#rd:?%20&é"
PATIENT = "socket_connect_timeout=30"  # on a busy machine, a TLS handshake may take over 1 s


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[str]:
    """Return the address of a Valkey that requires a password, and has the user `odd/user`."""
    child, url = await start_valkey(tmp_path)
    with Redis.from_url(url) as admin:
        rights = {"keys": ["*"], "channels": ["*"], "categories": ["+@all"]}
        admin.acl_setuser("odd/user", enabled=True, passwords=[f"+{PASSWORD}"], **rights)
        admin.config_set("requirepass", PASSWORD)
    yield url.rpartition("@")[2]
    await child.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a self-signed certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    text = key.private_bytes(pem, private, serialization.NoEncryption())
    path.write_bytes(text + certificate.public_bytes(pem))
    return path


async def check_every_client(settings: Settings, url: str) -> None:
    """Check that doctor, the API's engine and a worker work with a URL."""
    assert [finding for finding in await inspect_redis(url) if not finding.ok] == []
    url_settings = settings.model_copy(update={"redis_url": url, "sweep_ms": 60_000})
    async with Engine.open(url_settings) as engine, run_worker(url_settings):
        await engine.notifier.ping()
        redis = connect(url, "q")
        subscribers = await redis.pubsub_numsub(f"{url_settings.redis_prefix}:doorbell")
        await redis.aclose(close_connection_pool=True)
        assert (await Rig(engine).run("echo"))["state"] == "success"
        assert subscribers is not None


@pytest.mark.parametrize("user", ["", "default", "odd/user"])
async def test_password_with_special_characters_applies_to_every_connection(
    fast_settings: Settings, valkey: str, user: str
) -> None:
    login = f"{quote(user, safe='')}:{quote(PASSWORD, safe='')}"
    await check_every_client(fast_settings, f"redis://{login}@{valkey}")


async def test_password_and_database_may_be_query_options(
    fast_settings: Settings, valkey: str
) -> None:
    address = valkey.removesuffix("/0")
    twice = quote(quote(PASSWORD, safe=""), safe="")  # redis-py decodes it twice
    await check_every_client(fast_settings, f"redis://{address}?db=3&password={twice}")


@pytest.mark.parametrize("check", ["ssl_ca_certs={path}", "ssl_cert_reqs=none"])
async def test_tls_options_apply_to_every_connection(
    fast_settings: Settings, certificate: Path, check: str
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with proxied(fast_settings.redis_url, tls) as proxy:
        url = proxy.url.replace("redis://", "rediss://")
        await check_every_client(fast_settings, f"{url}?{check.format(path=certificate)}&{PATIENT}")


async def test_untrusted_certificate_is_rejected(
    fast_settings: Settings, certificate: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with proxied(fast_settings.redis_url, tls) as proxy:
        url = proxy.url.replace("redis://", "rediss://")
        (found,) = await inspect_redis(f"{url}?{PATIENT}")
    assert "CERTIFICATE_VERIFY_FAILED" in found.detail
    assert "OSTINATO_REDIS_URL" in str(found.fix)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/", "rediss:// for TLS"),
        ("redis://:pa:ss@w#rd@127.0.0.1:6379/0", "percent-encode special characters"),
        ("redis://:pa:ss/w@127.0.0.1:6379/0", "percent-encode special characters"),
        ("redis://127.0.0.1/0?retries=3", "unknown option 'retries'"),
        ("redis://127.0.0.1/0?socket_timeout=long", "is not a Redis URL"),
        ("rediss://127.0.0.1/0?ssl_cert_reqs=maybe", "maybe"),
        ("rediss://127.0.0.1/0?ssl_ca_certs=/no/such/file", "No such file"),
    ],
)
async def test_invalid_url_is_rejected_with_the_fix(url: str, expected: str) -> None:
    reason = url_problem(url)
    assert reason is not None
    assert expected in reason
    assert "OSTINATO_REDIS_URL" in reason
    assert "pa:ss" not in reason
    (found,) = await inspect_redis(url)
    assert found.fix == reason


async def test_wrong_password_is_distinguished_from_an_unreachable_server(valkey: str) -> None:
    url = f"redis://:wrong@{valkey}"
    (found,) = await inspect_redis(url)
    assert found.detail.startswith("rejects the password")
    assert found.fix == "correct the user and the password in OSTINATO_REDIS_URL"
    redis = connect(url, "unused")
    with capture_logs() as logs:
        await Notifier(redis, "x").warn_if_unreachable()
    await redis.aclose(close_connection_pool=True)
    assert [(line["event"], line["fix"]) for line in logs] == [("redis.unreachable", found.fix)]
