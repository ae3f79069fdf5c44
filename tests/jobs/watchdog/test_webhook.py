"""The webhook receives the events of alerts: signed, at least once, in order, after failures."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import orjson
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.jobs.alerts import Condition
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.jobs.watchdog.webhook import AlertWebhook
from tests.live.serving import hosted

SECRET: Final = "a-secret-of-the-webhook-of-44-bytes-0123456"
QUEUE: Final = Condition.queue_not_served("mail")


@dataclass
class Receiver:
    """The operator's endpoint."""

    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 204 when there are none."""
    received: list[tuple[str, Any]] = field(default_factory=list)
    """The id of the delivery and the content of each signed request."""

    async def receive(self, request: Request) -> Response:
        body, timestamp = await request.body(), request.headers["ostinato-timestamp"]
        digest = hmac.digest(SECRET.encode(), timestamp.encode() + b"." + body, "sha256").hex()
        assert request.headers["ostinato-signature"] == f"sha256={digest}"
        self.received.append((request.headers["ostinato-delivery"], orjson.loads(body)))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)

    @property
    def events(self) -> list[str]:
        return [content["event"] for _, content in self.received]


@dataclass(frozen=True)
class WebhookRig:
    """An engine, and the webhook's sender and receiver."""

    engine: Engine
    webhook: AlertWebhook
    receiver: Receiver

    async def send(self) -> None:
        async with httpx.AsyncClient() as client:
            await self.webhook.send_all(client)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[WebhookRig]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/alerts", receiver.receive, methods=["POST"])])
    async with hosted(app) as port:
        url = f"http://127.0.0.1:{port}/alerts"
        changes = {"alert_webhook_url": url, "alert_webhook_secret": SecretStr(SECRET)}
        async with Engine.open(settings.model_copy(update=changes)) as engine:
            yield WebhookRig(engine, AlertWebhook(engine.alerts, engine.settings), receiver)


async def test_the_webhook_receives_one_request_when_an_alert_opens_and_one_when_it_ends(
    settings: Settings,
) -> None:
    async with opened(settings) as rig:
        alert = await rig.engine.alerts.open(QUEUE)
        assert alert is not None
        await rig.send()
        await rig.engine.alerts.acknowledge(alert.id, None, "root")
        await rig.engine.alerts.end(alert.id)
        await rig.send()
        await rig.send()
    assert [delivery for delivery, _ in rig.receiver.received] == [
        f"{alert.id}:alert.opened",
        f"{alert.id}:alert.resolved",
    ]
    content = rig.receiver.received[0][1]["alert"]
    assert (content["kind"], content["subject"]) == ("QUEUE_NOT_SERVED", "mail")


async def test_events_that_were_not_accepted_are_sent_again_in_order(settings: Settings) -> None:
    async with opened(settings) as rig:
        rig.receiver.statuses = [503, 307]
        alert = await rig.engine.alerts.open(QUEUE)
        assert alert is not None
        with pytest.raises(httpx.HTTPError):
            await rig.send()
        await rig.engine.alerts.resolve(alert.id, None, "root")
        with pytest.raises(httpx.HTTPError):
            await rig.send()
        await rig.send()
        await rig.engine.alerts.end(alert.id)
        await rig.send()
    opened_, resolved = "alert.opened", "alert.resolved"
    assert rig.receiver.events == [opened_, opened_, opened_, resolved]


async def test_an_event_that_is_stored_while_another_is_sent_is_sent_later(
    settings: Settings,
) -> None:
    async with opened(settings) as rig:
        alert = await rig.engine.alerts.open(QUEUE)
        assert alert is not None
        (unsent,) = await rig.engine.alerts.find_unsent()
        await rig.engine.alerts.end(alert.id)
        await rig.engine.alerts.mark_sent(alert.id, unsent.events)
        await rig.send()
    assert rig.receiver.events == ["alert.resolved"]


@pytest.mark.parametrize(
    "values",
    [
        {"alert_webhook_url": "https://example.com/alerts"},
        {"alert_webhook_url": "ftp://example.com", "alert_webhook_secret": SECRET},
        {"alert_webhook_url": "https://example.com/", "alert_webhook_secret": "short"},
    ],
)
def test_a_webhook_without_a_valid_url_and_secret_is_rejected(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"alert_webhook_url|ALERT_WEBHOOK_SECRET"):
        Settings(**values)
