"""Sends the events of alerts to the operator's webhook: at least once, in order for each alert."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from typing import Final

import httpx
from pydantic_core import to_json

from ostinato.jobs.alerts import Alert, AlertEvent
from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.logs import RepeatedWarning, get_log
from ostinato.jobs.mongo.alerts import AlertStore
from ostinato.jobs.settings import Settings

POLL_S: Final = 1.0
TIMEOUT_S: Final = 10.0
FIRST_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 300.0

log = get_log(__name__)


class AlertWebhook:
    """Sends the events of alerts; an event is kept until the receiver answers with 2xx."""

    def __init__(self, alerts: AlertStore, settings: Settings) -> None:
        secret = settings.alert_webhook_secret
        self._alerts = alerts
        self._url = str(settings.alert_webhook_url)
        self._secret = b"" if secret is None else secret.get_secret_value().encode()
        self._failed = RepeatedWarning(log, "alert_webhook.failed")

    async def run(self) -> None:
        """Send until canceled; pauses longer after each failure."""
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S, jitter=(0.5, 1.0))
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            while True:
                try:
                    await self.send_all(client)
                    backoff.reset()
                    await asyncio.sleep(POLL_S)
                except httpx.HTTPError as error:
                    self._failed.write(error)
                    await backoff.wait()

    async def send_all(self, client: httpx.AsyncClient) -> None:
        """Send what was not sent, oldest alert first; raises httpx.HTTPError at a failure."""
        for unsent in await self._alerts.find_unsent():
            for event in unsent.events:
                await self._send(client, event, unsent.alert)
            await self._alerts.mark_sent(unsent.alert.id, unsent.events)

    async def _send(self, client: httpx.AsyncClient, event: AlertEvent, alert: Alert) -> None:
        body = to_json({"event": event.value, "alert": describe(alert)})
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "ostinato-delivery": f"{alert.id}:{event.value}",
            "ostinato-timestamp": timestamp,
            "ostinato-signature": f"sha256={sign(self._secret, timestamp, body)}",
        }
        response = await client.post(self._url, content=body, headers=headers)
        if not response.is_success:
            raise httpx.HTTPStatusError(
                f"the webhook answered with {response.status_code}",
                request=response.request,
                response=response,
            )


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a request: HMAC-SHA256 of the timestamp, a dot and the body."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


def describe(alert: Alert) -> Mapping[str, object]:
    """Return an alert as the webhook receives it; the names are those of the API."""
    times = {
        "openedAt": alert.opened_at,
        "acknowledgedAt": alert.acknowledged_at,
        "resolvedAt": alert.resolved_at,
    }
    return {
        "id": alert.id,
        "kind": alert.kind.name,
        "subject": alert.subject,
        "owner": alert.owner,
        "state": alert.state.name,
        "message": alert.message,
        **{name: None if at is None else format_instant(at) for name, at in times.items()},
    }
