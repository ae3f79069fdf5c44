"""Turns the entries of the outbox into jobs; leader only.

Each entry is replaced in one transaction: by its job, by nothing if its key was used before for
the same call, or by a failure of its owner.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.arguments import MAX_ARGS_BYTES
from ostinato.jobs.documents import NewFailure, refusal_document
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import OstinatoError, QuotaExceeded
from ostinato.jobs.ids import new_id
from ostinato.jobs.json_values import NotJson, TooLarge, to_json_value
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, is_transient, summarize
from ostinato.jobs.mongo.job_documents import StoredJob, build_job_document, existing_job
from ostinato.jobs.mongo.outbox import (
    EntriesChanged,
    OutboxStore,
    Replacement,
    StoredEntry,
    entry_json,
)
from ostinato.jobs.mongo.stored_json import escape_document, size_bytes
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.outbox import parse_entry
from ostinato.jobs.quarantine import Quarantine
from ostinato.jobs.quotas.owner_quotas import Reservation
from ostinato.jobs.records import Cause, CauseKind, Json
from ostinato.jobs.rights import MAX_OWNER_CHARS

SCAN_EVERY_S: Final = 1.0  # the change stream reports entries; this finds any that it missed
SLICE_S: Final = 0.005
QUARANTINE_S: Final = 10.0
MAX_QUARANTINE_S: Final = 600.0
MAX_QUARANTINED: Final = 1_000
MAX_DATA_BYTES: Final = 2 * MAX_ARGS_BYTES
APPLICATION: Final = Cause(kind=CauseKind.APPLICATION)
UNKNOWN_FUNCTION: Final = "outbox"
"""The function name of the failure of an entry without one."""

log = get_log(__name__)


@dataclass(slots=True, kw_only=True)
class _Planned:
    """What is to become of an entry, unless its key was used before."""

    entry_id: object
    owner: str | None
    function_name: str
    data: Json
    new: NewJob | None = None
    error: OstinatoError | None = None

    @property
    def used_key(self) -> Document | None:
        """Return the filter for the job with its key; None without one."""
        if self.new is None or self.new.key is None:
            return None
        return {"owner": self.new.owner, "key": self.new.key}


class OutboxConverter:
    """Replaces entries as they arrive."""

    def __init__(self, engine: Engine, on_jobs: Callable[[], None]) -> None:
        """`on_jobs` is called after each commit with new jobs."""
        self._engine = engine
        self._on_jobs = on_jobs
        self._store = OutboxStore(engine.mongo, engine.store)
        self._woken = asyncio.Event()
        self._changed: list[bytes] = []
        """The entries of the last attempt that met another leader."""
        self._broken: Quarantine[bytes] = Quarantine(
            MAX_QUARANTINED, QUARANTINE_S, MAX_QUARANTINE_S
        )

    def wake(self) -> None:
        """Look for entries now."""
        self._woken.set()

    async def run(self) -> None:
        """Convert entries until canceled."""
        while True:
            self._woken.clear()
            while await self.convert():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(SCAN_EVERY_S):
                    await self._woken.wait()

    async def convert(self) -> int:
        """Replace the oldest entries, and return how many were read.

        An entry that cannot be replaced is logged and left out for a while.
        """
        entries = await self._store.read(self._broken.keys())
        if entries:
            await self._replace(entries)
        return len(entries)

    async def _replace(self, entries: Sequence[StoredEntry]) -> None:
        """Replace entries together; if that fails, separately."""
        try:
            await self._replace_together(entries)
        except EntriesChanged as error:
            keys = [entry.key_bytes for entry in entries]
            if keys == self._changed:  # nobody else removes them: MongoDB does not match their ids
                await self._replace_separately(entries, error)
            self._changed = keys
        except Exception as error:  # one entry must not stop the others
            if is_transient(error) or isinstance(error, TimeoutError):
                raise
            await self._replace_separately(entries, error)

    async def _replace_separately(self, entries: Sequence[StoredEntry], error: Exception) -> None:
        if len(entries) == 1:
            self._quarantine(entries[0], error)
            return
        for entry in entries:
            await self._replace([entry])

    async def _replace_together(self, entries: Sequence[StoredEntry]) -> None:
        now = await self._engine.clock.now()
        with ExitStack() as reservations:
            planned = await self._plan(entries, now, reservations)
            keys = [each.used_key for each in planned if each.used_key is not None]

            def decide(found: Sequence[Document]) -> Replacement:
                return self._decide(planned, found, now)

            replaced = await self._store.replace(entries, {"$or": keys} if keys else None, decide)
        for entry in entries:
            self._broken.remove(entry.key_bytes)
        if replaced.jobs:
            self._on_jobs()
        if replaced.failures:
            errors = sorted({failure["error"]["name"] for failure in replaced.failures})
            log.warning("outbox.rejected", count=len(replaced.failures), errors=errors)

    async def _plan(
        self, entries: Sequence[StoredEntry], now: datetime, reservations: ExitStack
    ) -> list[_Planned]:
        """Validate entries and reserve room for their jobs, in slices."""
        reserved: dict[str | None, Reservation] = {}
        planned: list[_Planned] = []
        end = time.monotonic() + SLICE_S
        for entry in entries:
            each = await self._plan_one(entry, now)
            planned.append(each)
            if each.new is not None:
                if each.owner not in reserved:
                    reservation = self._engine.quotas.reserve(each.owner)
                    reserved[each.owner] = reservations.enter_context(reservation)
                try:
                    await reserved[each.owner].add_job(each.new, size_bytes(each.new.args))
                except QuotaExceeded as error:
                    each.error = error
            if time.monotonic() > end:
                await asyncio.sleep(0)
                end = time.monotonic() + SLICE_S
        return planned

    async def _plan_one(self, entry: StoredEntry, now: datetime) -> _Planned:
        try:
            document = entry.decode()
        except OstinatoError as error:
            return _Planned(
                entry_id=entry.id,
                owner=None,
                function_name=UNKNOWN_FUNCTION,
                data=None,
                error=error,
            )
        planned = _described(document)
        try:
            planned.new = await self._new_job(document, now)
        except OstinatoError as error:
            planned.error = error
        return planned

    async def _new_job(self, document: Document, now: datetime) -> NewJob:
        """Build the job of an entry; raises BadRequest or OwnerSuspended."""
        entry = parse_entry(document, now)
        function = self._engine.registry.target(entry.function_name)
        if entry.owner is not None:
            await self._engine.owners.require_active(entry.owner)
        return NewJob(
            function=function,
            args=function.bind(entry.args),
            owner=entry.owner,
            cause=APPLICATION,
            scheduled_time=entry.scheduled_time,
            key=entry.key,
            queue=entry.options.queue,
            priority=entry.options.priority,
            timeout_ms=entry.options.timeout_ms,
            tags=entry.options.tags,
        )

    def _decide(
        self, planned: Sequence[_Planned], found: Sequence[Document], now: datetime
    ) -> Replacement:
        """Build what replaces entries; `found` are the stored jobs with their keys."""
        used: defaultdict[str | None, dict[str, StoredJob]] = defaultdict(dict)
        for job in found:
            used[job["owner"]][job["key"]] = StoredJob(job)
        replacement = Replacement()
        for each in planned:
            new = each.new
            try:
                if new is not None and new.key is not None and new.key in used[new.owner]:
                    existing_job(used[new.owner][new.key], new)
                    continue
                if each.error is not None:
                    raise each.error
            except OstinatoError as error:
                replacement.failures.append(_failure(each, error, now))
                continue
            assert new is not None
            document = build_job_document(new, now, self._engine.settings.purge_after_ms)
            replacement.jobs.append(document)
            if new.key is not None:
                used[new.owner][new.key] = StoredJob(escape_document(document))
        return replacement

    def _quarantine(self, entry: StoredEntry, error: Exception) -> None:
        log.error(
            "outbox.not_converted",
            entry=str(entry.id)[:MAX_NAME_CHARS],
            retry_in_s=self._broken.add(entry.key_bytes),
            error=f"{type(error).__name__}: {summarize(error)}",
        )


def _described(document: Document) -> _Planned:
    """Return what a failure tells about an entry of any content."""
    owner, name = document.get("owner"), document.get("functionName")
    is_owner = isinstance(owner, str) and 1 <= len(owner) <= MAX_OWNER_CHARS
    try:
        data = to_json_value(entry_json(document), "data", limit_bytes=MAX_DATA_BYTES)
    except (NotJson, TooLarge):
        data = None
    return _Planned(
        entry_id=document["_id"],
        owner=owner if is_owner else None,
        function_name=name[:MAX_NAME_CHARS] if isinstance(name, str) and name else UNKNOWN_FUNCTION,
        data=data,
    )


def _failure(planned: _Planned, error: OstinatoError, now: datetime) -> Document:
    return NewFailure(
        id=new_id(),
        owner=planned.owner,
        function_name=planned.function_name,
        error=refusal_document(error),
        data=planned.data,
        attempts=0,
        at=now,
        outbox_id=planned.entry_id,
    ).document()
