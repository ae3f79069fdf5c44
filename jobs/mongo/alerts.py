"""The collection `alerts`. The field `key` makes the unresolved alert of a subject unique."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.alert_settings import AlertSettings
from ostinato.jobs.alerts import Alert, AlertEvent, AlertKind, AlertState, Condition, alert_from
from ostinato.jobs.errors import Malformed
from ostinato.jobs.ids import new_id
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import ALERTS
from ostinato.jobs.mongo.page_queries import owned_by

MAX_UNSENT: Final = 100  # that one pass of the webhook reads
HAS_KEY: Final = {"key": {"$exists": True}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """An alert whose events were not sent to the webhook."""

    alert: Alert
    events: tuple[AlertEvent, ...]
    """In order."""


class AlertStore:
    """Opens and resolves alerts, each with one guarded write."""

    def __init__(self, mongo: Mongo, kept_ms: int, *, has_webhook: bool) -> None:
        self._mongo = mongo
        self._alerts = mongo[ALERTS]
        self._kept_ms = kept_ms
        self._has_webhook = has_webhook

    @classmethod
    def of(cls, mongo: Mongo, settings: AlertSettings) -> Self:
        has_webhook = settings.alert_webhook_url is not None
        return cls(mongo, settings.alert_kept_ms, has_webhook=has_webhook)

    async def read_keys(self, kinds: Iterable[AlertKind]) -> dict[str, str]:
        """Return the ids of the alerts whose conditions had not ended, by key."""
        of_kinds = {**HAS_KEY, "kind": {"$in": sorted(kinds)}}
        rows = await self._alerts.find(of_kinds, {"key": 1}).to_list(None)
        return {row["key"]: row["_id"] for row in rows if type(row["key"]) is str}

    async def open(self, condition: Condition) -> Alert | None:
        """Open an alert; returns None if one is open for its subject."""
        alert_id = new_id()
        fields = {
            "kind": condition.kind.value,
            "subject": condition.subject,
            "key": condition.key,
            "owner": condition.owner,
            "state": AlertState.OPEN.value,
            "message": condition.message,
            "version": 1,
            **({"unsent": AlertEvent.OPENED.value} if self._has_webhook else {}),
        }
        stored: Document = {name: {"$literal": value} for name, value in fields.items()}
        try:
            opened = await self._alerts.find_one_and_update(
                {"_id": alert_id},
                [{"$set": {**stored, "openedAt": "$$NOW"}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # of `key`: another process opened it first
            return None
        return _read(opened)

    async def end(self, alert_id: str) -> Alert | None:
        """Resolve an alert whose condition has ended, and allow the next one for its subject.

        Returns it if it was not resolved before.
        """
        was_resolved = {"$eq": ["$state", AlertState.RESOLVED.value]}
        resolved_at = {"$cond": [was_resolved, "$resolvedAt", "$$NOW"]}
        changes = {
            **_moved_to(AlertState.RESOLVED),
            "resolvedAt": resolved_at,
            "purgeAt": {"$add": ["$$NOW", self._kept_ms]},
            "version": {"$add": ["$version", 1]},
            **self._unsent_unless(was_resolved),
        }
        before: Document | None = await self._alerts.find_one_and_update(
            {"_id": alert_id, **HAS_KEY}, [{"$set": changes}, {"$unset": "key"}]
        )
        if before is None or before.get("state") == AlertState.RESOLVED.value:
            return None
        return _read(await self._alerts.find_one({"_id": alert_id}) or before)

    async def acknowledge(self, alert_id: str, owner: str | None, by: str) -> Alert | None:
        """Acknowledge an open alert; returns None if it is not open, or unknown."""
        changes = {
            **_moved_to(AlertState.ACKNOWLEDGED),
            "acknowledgedAt": "$$NOW",
            "acknowledgedBy": {"$literal": by},
            "version": {"$add": ["$version", 1]},
        }
        return await self._change(alert_id, owner, [AlertState.OPEN], changes)

    async def resolve(self, alert_id: str, owner: str | None, by: str) -> Alert | None:
        """Resolve an alert by hand; returns None if it is resolved, or unknown.

        While its condition lasts, it keeps its key, so that no other one opens.
        """
        changes = {
            **_moved_to(AlertState.RESOLVED),
            "resolvedAt": "$$NOW",
            "resolvedBy": {"$literal": by},
            "version": {"$add": ["$version", 1]},
            **self._unsent_unless(False),
        }
        unresolved = [AlertState.OPEN, AlertState.ACKNOWLEDGED]
        return await self._change(alert_id, owner, unresolved, changes)

    async def count_unresolved(self) -> Mapping[AlertKind, int]:
        """Return the number of unresolved alerts of each kind."""
        unresolved = {**HAS_KEY, "state": {"$ne": AlertState.RESOLVED.value}}
        rows = await self._alerts.find(unresolved, {"kind": 1}).to_list(None)
        kinds = [row.get("kind") for row in rows]
        return {kind: kinds.count(kind.value) for kind in AlertKind}

    async def find_unsent(self) -> Sequence[Unsent]:
        """Return the alerts with events that were not sent to the webhook, oldest first."""
        found = self._alerts.find(
            {"unsent": {"$exists": True}}, sort=[("_id", 1)], limit=MAX_UNSENT
        )
        return list(filter(None, map(_unsent_from, await found.to_list(None))))

    async def mark_sent(self, alert_id: str, events: Sequence[AlertEvent]) -> None:
        """Note that the webhook has accepted the events; later ones stay."""
        sent = " ".join(events)
        await self._alerts.update_one({"_id": alert_id, "unsent": sent}, {"$unset": {"unsent": 1}})
        later = {"_id": alert_id, "unsent": f"{sent} {AlertEvent.RESOLVED}"}
        await self._alerts.update_one(later, {"$set": {"unsent": AlertEvent.RESOLVED.value}})

    def _unsent_unless(self, is_sent: object) -> Document:
        """Return the field with the event that the alert was resolved, after those not sent."""
        if not self._has_webhook:
            return {}
        earlier = {"$ifNull": [{"$concat": ["$unsent", " "]}, ""]}
        more = {"$concat": [earlier, AlertEvent.RESOLVED.value]}
        return {"unsent": {"$cond": [is_sent, {"$ifNull": ["$unsent", "$$REMOVE"]}, more]}}

    async def _change(
        self, alert_id: str, owner: str | None, states: Sequence[AlertState], changes: Document
    ) -> Alert | None:
        changed: Document | None = await self._alerts.find_one_and_update(
            {"_id": alert_id, "state": {"$in": list(states)}, **owned_by(owner)},
            [{"$set": changes}],
            return_document=ReturnDocument.AFTER,
        )
        return None if changed is None else read_as(alert_from, changed)


def _moved_to(state: AlertState) -> Document:
    """Return the fields of a new state; `stateChange` is for filters of changes."""
    return {
        "state": state.value,
        "stateChange": {"$concat": [{"$ifNull": ["$state", ""]}, f" {state}"]},
    }


def _read(document: Document) -> Alert | None:
    try:
        return read_as(alert_from, document)
    except Malformed as error:
        report(ALERTS, document["_id"], error)
        return None


def _unsent_from(document: Document) -> Unsent | None:
    alert, events = _read(document), document.get("unsent")
    known = [str(event) for event in AlertEvent]
    if alert is None or not isinstance(events, str):
        return None
    names: list[Any] = [name for name in events.split() if name in known]
    return Unsent(alert=alert, events=tuple(map(AlertEvent, names)))
