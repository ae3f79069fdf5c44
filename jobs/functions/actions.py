"""Calls of external HTTP APIs on the hosts that the operator allows, with retries.

Resolves a host name once and connects to the checked addresses: prevents DNS rebinding.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action
from ostinato.jobs.errors import Forbidden
from ostinato.jobs.functions.failures import log_failure
from ostinato.jobs.hosts import is_own_address
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.plain_messages import HTTP_PATTERN
from ostinato.jobs.records import Json
from ostinato.jobs.settings import Settings

CALL_TIMEOUT_S: Final = 10.0
MAX_RESPONSE_BYTES: Final = 65_536
MAX_SHOWN: Final = 500  # characters of an error in the progress
NAT64: Final = IPv6Network("64:ff9b::/96")
IPV4_COMPATIBLE: Final = IPv6Network("::/96")
SITE_LOCAL: Final = IPv6Network("fec0::/10")
PORTS: Final = {"http": 80, "https": 443}
Attempts = Annotated[int, Field(ge=0, le=20)]  # 2^20 s is 12 days


class CallFailed(Exception):
    """The API did not respond with a 2xx status, or its response is too large."""


CALL_ERRORS: Final = (CallFailed, httpx.HTTPError, OSError, TimeoutError)
"""Errors of a call that a retry may fix."""


class HttpCall(BaseModel):
    """A call to an external HTTP API."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    url: str = Field(
        max_length=2_000,
        pattern=HTTP_PATTERN,
        description="An http or https address whose host the operator allows.",
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "GET", description="The HTTP method."
    )
    body: JsonValue = Field(None, alias="json", description="Sent as the JSON body, unless null.")


@action(public=True)
async def retryable_action(
    ctx: Context, data: HttpCall, attempts: Attempts = 0, max_attempts: Attempts = 3
) -> Json:
    """Call an external HTTP API, and retry after 1 s, 2 s, 4 s, …, each time in a new job.

    `attempts` is the number of failures so far. After 1 + `maxAttempts` calls, the failure is
    recorded. Returns the status and body of the response, or null if the call failed: then, the
    progress says why, and what follows.
    """
    try:
        return await make_call(data, ctx.settings)
    except CALL_ERRORS as error:
        message = replace_surrogates(f"{type(error).__name__}: {error}")
    follows = (
        f"called again after {2**attempts} s" if attempts < max_attempts else "not called again"
    )
    total = max(attempts, max_attempts) + 1
    await ctx.progress(attempts + 1, total, f"{follows}: {message[:MAX_SHOWN]}")
    ctx.log.warning("action.failed", url=data.url, attempts=attempts, error=message)
    wire = data.model_dump(mode="json", by_alias=True)
    if attempts < max_attempts:
        await ctx.scheduler.run_after(
            2**attempts * 1000,
            retryable_action,
            {"data": wire, "attempts": attempts + 1, "maxAttempts": max_attempts},
        )
    else:
        await ctx.run_mutation(
            log_failure, {"error": message, "data": wire, "attempts": attempts + 1}
        )
    return None


async def make_call(call: HttpCall, settings: Settings) -> Json:
    """Make the call and return its status and body; does not follow redirects.

    Raises Forbidden for a host that is not allowed and for the API itself, and one of CALL_ERRORS
    if the call fails, takes longer than 10 s or returns more than 64 KiB.
    """
    url = httpx.URL(call.url)
    may_be_private = _allowed_entry(url, settings.allowed_hosts_http)
    async with asyncio.timeout(CALL_TIMEOUT_S):
        addresses = await _resolve(url.raw_host.decode(), _port(url))
        if _port(url) == settings.port and await _is_api(addresses, settings):
            raise Forbidden(
                f"{url.host}:{settings.port} is the API of this installation, by OSTINATO_HOST and "
                "OSTINATO_PORT of the worker: call another host"
            )
        if not may_be_private and not all(map(_is_public, addresses)):
            raise Forbidden(f"{url.host} resolves to a private address: allow the address itself")
        return await call_addresses(addresses, call)


async def call_addresses(addresses: Sequence[str], call: HttpCall) -> Json:
    """Send the request to the first address that accepts a connection."""
    *others, last = addresses
    async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=CALL_TIMEOUT_S) as client:
        for address in others:
            with suppress(httpx.ConnectError):  # nothing was sent
                return await _send(client, _request(client, call, address))
        return await _send(client, _request(client, call, last))


def _request(client: httpx.AsyncClient, call: HttpCall, address: str) -> httpx.Request:
    """Build the request to one address, with the name of the host in Host and SNI."""
    url = httpx.URL(call.url)
    return client.build_request(
        call.method,
        url.copy_with(host=address),
        headers={"Host": url.netloc.decode(), "Accept-Encoding": "identity"},
        json=call.body,
        extensions={"sni_hostname": url.raw_host.decode()},
    )


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> Json:
    response = await client.send(request, stream=True)
    try:
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_RESPONSE_BYTES:
                raise CallFailed(f"the response is larger than {MAX_RESPONSE_BYTES:,} bytes")
    finally:
        await response.aclose()
    if not response.is_success:
        raise CallFailed(f"HTTP {response.status_code} {response.reason_phrase}".strip())
    return {"status": response.status_code, "body": content.decode(errors="replace")}


def _allowed_entry(url: httpx.URL, allowed: tuple[str, ...]) -> bool:
    """Raise Forbidden unless the host is allowed; return whether it may be a private address."""
    host = url.raw_host.decode().lower().strip("[]")
    port = _port(url)
    for entry in allowed:
        listed = urlsplit(f"//{entry}")
        if listed.hostname == host and (listed.port or PORTS[url.scheme]) == port:
            return host == "localhost" or _is_address(host)
    raise Forbidden(
        f"{host}:{port} is not an allowed host: ask the operator to add it to "
        "OSTINATO_ALLOWED_HOSTS_HTTP"
    )


def _port(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def _is_api(addresses: Iterable[str], settings: Settings) -> bool:
    """Return whether one of the addresses belongs to this machine or is the API's configured host.

    The API trusts clients on its machine in development, and its own network everywhere.
    """
    try:
        own = await _resolve(settings.host, settings.port)
    except OSError:
        own = []
    return any(address in own or is_own_address(address) for address in addresses)


def _is_public(text: str) -> bool:
    """Return whether an address, or the IPv4 address embedded in it, is public."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        wrapped = address in NAT64 or address in IPV4_COMPATIBLE
        inner = IPv4Address(int(address) & 0xFFFF_FFFF) if wrapped else address.sixtofour
        address = inner or address
    special = address.is_multicast or address.is_reserved or address in SITE_LOCAL
    return address.is_global and not special


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
