"""The compose.yaml that `ostinato init` writes: its settings, and its services as processes."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from ostinato.cli import TEMPLATE
from ostinato.jobs.end_of_life import MONGODB, VALKEY
from tests.compose import Compose, Document, MissingVariable, load
from tests.processes import START_S, eventually

SECRETS = re.findall(r"^(\w+)=$", (TEMPLATE / ".env.example").read_text(), re.M)
VARIABLES = {name: f"{number}" * 64 for number, name in enumerate(SECRETS)}
SCHEDULE = """mutation { scheduleJob(input: {functionName: "orders.placeOrder",
    args: {item: "tea"}}) { jobId } }"""
WATCH = "subscription { jobsChanged { kind job { functionName state } } }"
CADDY = shutil.which("caddy")


@pytest.fixture
def services() -> Document:
    found: Document = load(TEMPLATE / "compose.yaml", VARIABLES)["services"]
    return found


@pytest.mark.parametrize("name", SECRETS)
def test_compose_does_not_start_without_a_secret(name: str) -> None:
    for variables in ({**VARIABLES, name: ""}, {k: v for k, v in VARIABLES.items() if k != name}):
        with pytest.raises(MissingVariable, match=name):
            load(TEMPLATE / "compose.yaml", variables)


def test_every_variable_of_compose_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", (TEMPLATE / "compose.yaml").read_text()))
    assert used == {*SECRETS, "SITE_ADDRESS"}
    assert len(SECRETS) == 4


def test_proxy_reaches_only_the_apis_and_these_trust_only_its_network(services: Document) -> None:
    config = load(TEMPLATE / "compose.yaml", VARIABLES)
    (subnet,) = config["networks"]["front"]["ipam"]["config"]
    in_front = {name for name, service in services.items() if "front" in service["networks"]}
    assert in_front == {"proxy", "api-1", "api-2"}
    assert services["proxy"]["networks"] == ["front"]
    for name in ("api-1", "api-2"):
        trusted = services[name]["environment"]["OSTINATO_TRUSTED_PROXIES"]
        assert ip_network(trusted) == ip_network(subnet["subnet"])
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]


def test_servers_of_compose_get_security_fixes(services: Document) -> None:
    versions = {name: services[name]["image"].partition(":")[2] for name in ("mongo", "valkey")}
    for product, version in ((MONGODB, versions["mongo"]), (VALKEY, versions["valkey"])):
        assert tuple(map(int, version.split("."))) in product.ends


def test_image_runs_without_privileges_and_without_embedded_servers() -> None:
    dockerfile = (TEMPLATE / "Dockerfile").read_text()
    assert dockerfile.index("\nUSER app\n") < dockerfile.index("\nCMD ")
    assert "/readyz" in dockerfile.partition("\nHEALTHCHECK ")[2]
    assert "dev-server" not in (TEMPLATE / "requirements.txt").read_text()


@pytest.fixture
async def compose(tmp_path: Path) -> AsyncIterator[Compose]:
    """Start all services of a written project, and prepare MongoDB twice."""
    project = tmp_path / "shop"
    shutil.copytree(TEMPLATE, project)
    async with AsyncExitStack() as stack:
        compose = Compose(project, VARIABLES, stack)
        await compose.start_mongo()
        compose.start_valkey()
        for _ in range(2):
            done = compose.run("mongo-setup")
            assert done.returncode == 0, done.stderr
        for name in ("worker", "api-1", "api-2"):
            compose.start(name)
        if CADDY:
            compose.start_proxy(CADDY)
        yield compose


def public_urls(compose: Compose) -> list[str]:
    """Return the proxy's URL twice, or without a Caddy those of both APIs."""
    return [compose.url(name) for name in (("proxy", "proxy") if CADDY else ("api-1", "api-2"))]


async def ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).is_success
    except httpx.TransportError:
        return False


async def subscribe(socket: ClientConnection, token: str) -> None:
    payload = {"Authorization": f"Bearer {token}"}
    await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}))
    await wait_for(socket, "READY", None)


async def wait_for(socket: ClientConnection, kind: str, job: object) -> None:
    async for text in socket:
        message = json.loads(text)
        data = (message.get("payload") or {}).get("data")
        change = data and data["jobsChanged"]
        if change and change["kind"] == kind and job in (None, change["job"]):
            return


@pytest.mark.slow
async def test_services_of_compose_run_a_job_and_send_its_changes(compose: Compose) -> None:
    scheduling, watching = public_urls(compose)
    token = compose.run("api-1", "ostinato", "token", "--sub", "ada").stdout.strip()
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in (compose.url("api-1"), compose.url("api-2"), scheduling):
            await eventually(lambda url=url: ready(client, url), within=START_S)  # type: ignore[misc]
        where = f"{watching.replace('http', 'ws')}/graphql"
        async with connect(where, subprotocols=["graphql-transport-ws"], origin=watching) as socket:  # type: ignore[list-item,arg-type]
            await subscribe(socket, token)
            headers = {"authorization": f"Bearer {token}"}
            await client.post(f"{scheduling}/graphql", json={"query": SCHEDULE}, headers=headers)
            success = {"functionName": "orders.placeOrder", "state": "SUCCESS"}
            await wait_for(socket, "CHANGED", success)


@pytest.mark.slow
async def test_doctor_advises_nothing_but_newer_servers_in_compose(compose: Compose) -> None:
    done = compose.run("api-1", "ostinato", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = re.findall(r"^warning +(.+?):", done.stdout, re.M)
    assert set(warnings) <= {"MongoDB support", "Valkey support"}
