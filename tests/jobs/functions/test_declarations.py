"""Registration with `@batch` and `@request_handler`; calls to external hosts."""

import asyncio
from typing import Any

import pytest

from ostinato.jobs import handler_decorators
from ostinato.jobs.context import Context
from ostinato.jobs.declarations import DeclarationError
from ostinato.jobs.errors import Forbidden
from ostinato.jobs.functions.actions import HttpCall, make_call
from ostinato.jobs.functions.batch import mark_processed
from ostinato.jobs.handler_decorators import Document, batch, request_handler
from ostinato.jobs.records import Json
from ostinato.jobs.registry import Registry
from ostinato.jobs.settings import Settings


@pytest.fixture
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry, which the decorators of the test fill."""
    registry = Registry()
    monkeypatch.setattr(handler_decorators, "registry", registry)
    return registry


def allowing(host: str) -> Settings:
    return Settings(allowed_hosts_http=(host,))


async def handle_page(ctx: Context, items: list[Document]) -> None:
    """Do nothing."""


async def handle_other_page(ctx: Context, items: list[Document]) -> None:
    """Do nothing."""


async def answer(ctx: Context, data: Json) -> Json:
    """Return None."""
    return None


async def answer_differently(ctx: Context, data: Json) -> Json:
    """Return None."""
    return None


def test_users_cannot_start_a_source_by_default(empty_registry: Registry) -> None:
    batch("orders")(handle_page)
    batch("public")(handle_page)
    assert not empty_registry.batches["orders"].callable_by(["anything"])


def test_a_users_source_may_replace_the_built_in_one(empty_registry: Registry) -> None:
    batch("items")(mark_processed)
    batch("items")(handle_page)
    assert empty_registry.batches["items"].handle is handle_page


def test_two_sources_of_users_cannot_share_a_name(empty_registry: Registry) -> None:
    batch("orders")(handle_page)
    batch("orders")(handle_page)
    with pytest.raises(DeclarationError, match=r"'orders' is taken by .*handle_page"):
        batch("orders")(handle_other_page)


def test_a_second_request_handler_is_rejected(empty_registry: Registry) -> None:
    request_handler(answer)
    request_handler(answer)
    assert empty_registry.request_handler is answer
    with pytest.raises(DeclarationError, match="is already a @request_handler"):
        request_handler(answer_differently)


async def test_an_allowed_name_that_resolves_to_a_private_address_is_not_called() -> None:
    # For the check of Ostinato, this is a name; resolvers treat it as 127.0.0.1.
    call = HttpCall(url="http://127.1:9/")
    with pytest.raises(Forbidden, match="private address"):
        await make_call(call, allowing("127.1:9"))


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "224.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "fec0::1",
        "ff0e::1",
    ],
)
async def test_a_private_address_in_any_notation_is_not_called(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async def look_up(*_: object, **__: object) -> list[Any]:
        return [(None, None, None, "", (address, 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    with pytest.raises(Forbidden, match="private address"):
        await make_call(HttpCall(url="http://api.example/"), allowing("api.example"))


async def test_the_allowed_name_is_the_name_that_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[object] = []

    async def look_up(name: object, *_: object, **__: object) -> list[Any]:
        looked_up.append(name)
        return [(None, None, None, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    with pytest.raises(Forbidden, match="private address"):
        await make_call(HttpCall(url="http://straße.example/"), allowing("xn--strae-oqa.example"))
    assert looked_up == ["xn--strae-oqa.example"]


async def test_an_allowed_host_without_a_port_allows_only_the_default_port() -> None:
    call = HttpCall(url="http://127.0.0.1:8080/")
    with pytest.raises(Forbidden, match=r"127\.0\.0\.1:8080"):
        await make_call(call, allowing("127.0.0.1"))
