"""Quotas: how much each owner may have at once. Settings, kinds and messages; no I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

from ostinato.jobs.errors import QuotaExceeded


class QuotaKind(StrEnum):
    """What a quota limits. The values end the names of the settings."""

    PENDING_JOBS = "pending_jobs"
    CRONS = "crons"
    TICKS_PER_MINUTE = "ticks_per_minute"
    RECURRING_TASKS = "recurring_tasks"
    BATCHES = "batches"
    ITEMS = "items"
    REQUESTS = "requests"
    BULK_ACTIONS = "bulk_actions"
    STORED_BYTES = "stored_bytes"
    SUBSCRIPTIONS = "subscriptions"


class QuotaSettings(BaseSettings):
    """The quotas of an owner; 0 means no limit. The system and its crons have none.

    Part of `Settings`.
    """

    quota_pending_jobs: int = Field(
        100_000,
        ge=0,
        description="Maximum number of pending jobs per user; 0 for no limit. Each process may "
        "exceed it by 1%.",
    )
    quota_crons: int = Field(
        1_000,
        ge=0,
        description="Maximum number of crons per user, paused ones included; 0 for no limit.",
    )
    quota_ticks_per_minute: int = Field(
        6_000,
        ge=0,
        description="Maximum number of ticks a minute of all running crons and recurring tasks of "
        "a user; 0 for no limit.",
    )
    quota_recurring_tasks: int = Field(
        1_000,
        ge=0,
        description="Maximum number of recurring tasks per user, stopped ones "
        "included; 0 for no limit.",
    )
    quota_batches: int = Field(
        100,
        ge=0,
        description="Maximum number of running and paused batches per user; 0 for no limit.",
    )
    quota_items: int = Field(
        100_000,
        ge=0,
        description="Maximum number of items per user that no batch has processed yet; 0 for no "
        "limit.",
    )
    quota_requests: int = Field(
        10_000, ge=0, description="Maximum number of pending requests per user; 0 for no limit."
    )
    quota_bulk_actions: int = Field(
        5, ge=0, description="Maximum number of running bulk actions per user; 0 for no limit."
    )
    quota_stored_bytes: int = Field(
        1_073_741_824,
        ge=0,
        description="Maximum size of the pending jobs, unprocessed items, pending requests and "
        "logs of jobs of a user, in bytes; 0 for no limit. Each process may exceed it by 10%.",
    )
    quota_subscriptions: int = Field(
        1_000,
        ge=0,
        description="Maximum number of open subscriptions per user in one API process; 0 for no "
        "limit.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One quota of an owner, and how much of it is used."""

    kind: QuotaKind
    used: float
    limit: int | None
    """None for no limit."""


@dataclass(frozen=True, slots=True)
class _Text:
    noun: str
    remedy: str


TEXTS: Final[Mapping[QuotaKind, _Text]] = MappingProxyType(
    {
        QuotaKind.PENDING_JOBS: _Text(
            "pending jobs", "wait until some have started, or cancel some with cancelJob"
        ),
        QuotaKind.CRONS: _Text("crons", "delete one with deleteCron"),
        QuotaKind.TICKS_PER_MINUTE: _Text(
            "ticks a minute of crons and recurring tasks",
            "pause a cron, stop a recurring task, or choose a longer interval",
        ),
        QuotaKind.RECURRING_TASKS: _Text(
            "recurring tasks", "delete a stopped one with deleteRecurringTask"
        ),
        QuotaKind.BATCHES: _Text(
            "running and paused batches", "wait until one has ended, or cancel one"
        ),
        QuotaKind.ITEMS: _Text(
            "unprocessed items", "process them in a batch, or delete some with deleteItems"
        ),
        QuotaKind.BULK_ACTIONS: _Text(
            "running bulk actions", "wait until one has ended, or cancel one with cancelBulkAction"
        ),
        QuotaKind.REQUESTS: _Text("pending requests", "wait until some have ended"),
        QuotaKind.SUBSCRIPTIONS: _Text(
            "open subscriptions in this API process", "complete one that you no longer need"
        ),
        QuotaKind.STORED_BYTES: _Text(
            "bytes of pending jobs, unprocessed items, pending requests and logs of jobs",
            "cancel pending jobs or delete items, and try again a minute later",
        ),
    }
)


class OpenSubscriptions:
    """The open subscriptions of a process, by owner."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    def count(self, owner: str) -> int:
        return self._open[owner]

    @contextmanager
    def open(self, owner: str) -> Iterator[None]:
        """Count a subscription for the duration of the block; raises QuotaExceeded."""
        used = self._open[owner]
        if self._limit is not None and used >= self._limit:
            raise quota_exceeded(QuotaKind.SUBSCRIPTIONS, used, 1, self._limit)
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]


def limit_of(settings: QuotaSettings, kind: QuotaKind) -> int | None:
    """Return the limit of a quota; None for no limit."""
    limit: int = getattr(settings, f"quota_{kind.value}")
    return limit or None


def quota_exceeded(kind: QuotaKind, used: float, amount: float, limit: int) -> QuotaExceeded:
    """Build the error for `amount` more than the quota has room for."""
    text = TEXTS[kind]
    setting = f"OSTINATO_QUOTA_{kind.name}"
    message = (
        f"you have {_shown(used)} {text.noun} and asked for {_shown(amount)} more, and the limit "
        f"is {limit:,}: {text.remedy}, or ask the operator to raise {setting}"
    )
    return QuotaExceeded(message, quota=kind.name, used=used, limit=limit)


def _shown(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")
