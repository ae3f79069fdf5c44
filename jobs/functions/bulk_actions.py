"""Bulk actions: chains of pages that change all matching jobs or failures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.bulk_actions import (
    CHANGED,
    MAX_ERRORS,
    BulkAction,
    BulkActionKind,
    BulkActionState,
    BulkOutcome,
    BulkPage,
    BulkRow,
    bulk_action_from,
    filter_document,
    filter_from,
)
from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.errors import NotFound, PreconditionFailed
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.functions.job_chain import (
    CHAIN_RETRY,
    cancel_if_active,
    is_active,
    read_owner,
    update_document,
)
from ostinato.jobs.handler_decorators import Document
from ostinato.jobs.lifecycle import MAX_ATTEMPTS
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import read_room, require_room
from ostinato.jobs.records import Cause, CauseKind, JobState
from ostinato.jobs.rights import has_role_for

PROCESS_PAGE: Final = "bulkActions.processBulkPage"
COLLECTION: Final = "bulkActions"
RUNNING: Final = BulkActionState.RUNNING.value
MESSAGES: Final[Mapping[BulkOutcome, str]] = {
    BulkOutcome.NOT_ALLOWED: "its owner is suspended, or has lost the role of its function",
    BulkOutcome.TOO_MANY_ATTEMPTS: "it has too many attempts or events for another change",
    BulkOutcome.QUOTA_EXCEEDED: "its owner has no room for another pending job",
    BulkOutcome.NO_JOB: "a function recorded it, so it has no job to retry",
    BulkOutcome.MALFORMED: "its document is malformed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBulkAction:
    kind: BulkActionKind
    which: JobFilter | FailureFilter
    target_owner: str | None
    total: int | None
    run_at: datetime | None = None


async def start_bulk_action(ctx: Context, new: NewBulkAction) -> BulkAction:
    """Start a bulk action of the context's owner; its first page is due now.

    Raises QuotaExceeded.
    """
    await require_room(ctx, QuotaKind.BULK_ACTIONS)
    document: Document = {
        "_id": ctx.new_id(),
        "owner": ctx.owner,
        "kind": new.kind.value,
        "state": RUNNING,
        "targetOwner": new.target_owner,
        "filter": filter_document(new.which),
        "runAt": new.run_at,
        "cursor": None,
        "processed": 0,
        "total": new.total,
        "outcomes": {},
        "errors": [],
        "createdAt": await ctx.now(),
        "version": 1,
    }
    document["schedulerJobId"] = await _schedule_page(ctx, document)
    await ctx.db.internal_collection(COLLECTION).insert_one(document)
    return bulk_action_from(document)


async def cancel_bulk_action(ctx: Context, bulk_action_id: str) -> BulkAction:
    """Stop a bulk action before its next page; what it has changed stays changed.

    Raises NotFound, PreconditionFailed if it has ended.
    """
    found = await _find(ctx, bulk_action_id)
    if found is None:
        raise NotFound("there is no such bulk action")
    if found["state"] != RUNNING:
        raise PreconditionFailed(f"the bulk action has already ended: it is {found['state']}")
    await cancel_if_active(ctx, found["schedulerJobId"])
    return await _finish(ctx, found, BulkActionState.CANCELED)


@mutation(name=PROCESS_PAGE, internal=True, retry=CHAIN_RETRY)
async def process_bulk_page(ctx: Context, bulk_action_id: str, cursor: str | None) -> int:
    """Change the objects after `cursor`, and schedule the next page; return their number.

    The changes, their outcomes and the new cursor are one transaction, so that each object is
    changed and counted once.
    """
    found = await _find(ctx, bulk_action_id)
    if found is None or found["state"] != RUNNING or found["cursor"] != cursor:
        return 0
    if await is_active(ctx, found["schedulerJobId"]):
        return 0
    kind = BulkActionKind(found["kind"])
    page = await ctx.bulk.read_page(
        BulkPage(
            kind=kind,
            which=filter_from(kind, found["filter"]),
            owner=found["targetOwner"],
            after_id=cursor,
            before=found["createdAt"],
        )
    )
    outcomes = await _decide(ctx, kind, page.rows)
    changed = [row for row in page.rows if outcomes[row.id] in CHANGED]
    if changed:
        await ctx.bulk.change(kind, changed, found.get("runAt"), found["owner"])
    progress = _progress(found, page.rows, outcomes) | {"cursor": page.last_id}
    if page.last_id is None:
        await _finish(ctx, found, BulkActionState.DONE, progress)
    else:
        progress["schedulerJobId"] = await _schedule_page(ctx, {**found, **progress})
        await update_document(ctx, COLLECTION, found, progress)
    return len(page.rows)


async def repair_bulk_action(ctx: Context, bulk_action_id: str) -> bool:
    """Schedule the missing page of a running bulk action, or fail it if its page has failed.

    Returns False if there is nothing to repair.
    """
    found = await _find(ctx, bulk_action_id)
    if found is None or found["state"] != RUNNING or await is_active(ctx, found["schedulerJobId"]):
        return False
    failed = {"_id": found["schedulerJobId"], "state": JobState.FAILED.value}
    if await ctx.db.ostinato("jobs").find_one(failed, {"_id": 1}):
        await _finish(ctx, found, BulkActionState.FAILED)
    else:
        page = await _schedule_page(ctx, found)
        await update_document(ctx, COLLECTION, found, {"schedulerJobId": page})
    return True


async def _decide(
    ctx: Context, kind: BulkActionKind, rows: Sequence[BulkRow]
) -> dict[str, BulkOutcome]:
    """Return what is to become of each object."""
    if kind in (BulkActionKind.RETRY_JOBS, BulkActionKind.RETRY_FAILURES):
        return await _decide_retries(ctx, rows)
    malformed = BulkOutcome.MALFORMED
    return {row.id: _decide_one(kind, row) if row.is_valid else malformed for row in rows}


def _decide_one(kind: BulkActionKind, row: BulkRow) -> BulkOutcome:
    if kind is BulkActionKind.RESOLVE_FAILURES:
        return BulkOutcome.RESOLVED
    if kind is BulkActionKind.RESCHEDULE_JOBS:
        return BulkOutcome.RESCHEDULED if row.has_room else BulkOutcome.TOO_MANY_ATTEMPTS
    return BulkOutcome.CANCEL_REQUESTED if row.is_running else BulkOutcome.CANCELED


async def _decide_retries(ctx: Context, rows: Sequence[BulkRow]) -> dict[str, BulkOutcome]:
    outcomes: dict[str, BulkOutcome] = {}
    owners = {row.owner: await _OwnerRights.read(ctx, row.owner) for row in _first_of_each(rows)}
    for row in rows:
        rights = owners[row.owner]
        if not row.is_valid:
            outcomes[row.id] = BulkOutcome.MALFORMED
        elif not row.has_job:
            outcomes[row.id] = BulkOutcome.NO_JOB
        elif not rights.may_run(ctx, row.function_name):
            outcomes[row.id] = BulkOutcome.NOT_ALLOWED
        elif not row.has_room or row.attempt + row.retries >= MAX_ATTEMPTS:
            outcomes[row.id] = BulkOutcome.TOO_MANY_ATTEMPTS
        elif not rights.take_room():
            outcomes[row.id] = BulkOutcome.QUOTA_EXCEEDED
        else:
            outcomes[row.id] = BulkOutcome.RETRIED
    return outcomes


def _first_of_each(rows: Sequence[BulkRow]) -> list[BulkRow]:
    return list({row.owner: row for row in reversed(rows)}.values())


@dataclass(slots=True, kw_only=True)
class _OwnerRights:
    """What an owner may run, and how many more pending jobs they may have."""

    owner: Any
    room: int | None

    @classmethod
    async def read(cls, ctx: Context, owner: str | None) -> "_OwnerRights":
        known = None if owner is None else await read_owner(ctx, owner)
        return cls(owner=known, room=await read_room(ctx, QuotaKind.PENDING_JOBS, owner))

    def may_run(self, ctx: Context, function_name: str) -> bool:
        if self.owner is None:
            return True
        function = ctx.registry.get(function_name)
        return not self.owner.is_suspended and (
            function is None or has_role_for(function, self.owner)
        )

    def take_room(self) -> bool:
        if self.room is None:
            return True
        self.room -= 1
        return self.room >= 0


def _progress(
    found: Document, rows: Sequence[BulkRow], outcomes: Mapping[str, BulkOutcome]
) -> dict[str, Any]:
    counts: Counter[str] = Counter(found["outcomes"])
    counts.update(outcome.value for outcome in outcomes.values())
    errors = [
        {"id": row.id, "outcome": outcome.value, "message": MESSAGES[outcome]}
        for row in rows
        if (outcome := outcomes[row.id]) not in CHANGED
    ]
    return {
        "processed": found["processed"] + len(rows),
        "outcomes": dict(counts),
        "errors": [*found["errors"], *errors][:MAX_ERRORS],
    }


async def _schedule_page(ctx: Context, document: Document) -> str:
    return await ctx.scheduler.run_after(
        0,
        process_bulk_page,
        {"bulkActionId": document["_id"], "cursor": document["cursor"]},
        cause=Cause(kind=CauseKind.BULK_ACTION, id=document["_id"]),
    )


async def _find(ctx: Context, bulk_action_id: str) -> Document | None:
    by_id = {"_id": bulk_action_id, "owner": ctx.owner}
    return await ctx.db.ostinato(COLLECTION).find_one(by_id)


async def _finish(
    ctx: Context, found: Document, state: BulkActionState, fields: Document | None = None
) -> BulkAction:
    ended = {"state": state.value, "completedAt": await ctx.now(), "schedulerJobId": None}
    changed = {**(fields or {}), **ended}
    return bulk_action_from(await update_document(ctx, COLLECTION, found, changed))
