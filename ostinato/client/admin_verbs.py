"""The client's verbs for administrators: workers, queues, owners, revoked tokens, the audit log,
and alerts."""

from datetime import datetime
from typing import Final

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import require_name, require_owner
from ostinato.jobs.alerts import Alert
from ostinato.jobs.audit import AuditEntry, AuditFilter
from ostinato.jobs.errors import BadRequest, require_range
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.lanes import MAX_WEIGHT, QUEUE_PATTERN, Queue, is_queue_name
from ostinato.jobs.paging import Page
from ostinato.jobs.quotas.limits import Quota
from ostinato.jobs.revocations import Revocation
from ostinato.jobs.rights import Owner
from ostinato.jobs.worker_records import WorkerRecord
from ostinato.resolvers import admin, alerts, audit, revocations
from ostinato.resolvers.alerts import AlertFilter
from ostinato.resolvers.functions import CatalogEntry, list_functions

MAX_REASON_CHARS: Final = 500


class AdminVerbs(BaseClient):
    """Reads and changes what belongs to the installation."""

    def functions(self) -> list[CatalogEntry]:
        """Return the functions that this process has imported, by name."""
        return list_functions(self.context())

    async def workers(self) -> list[WorkerRecord]:
        """Read the registered workers, oldest first."""
        return await call(admin.workers(self.context()))

    async def queues(self, *, first: int = admin.MAX_QUEUES, after: str = "") -> list[Queue]:
        """Read up to 100 queues with names after `after`, by name: those with workers, pending jobs
        or stored settings."""
        return await call(admin.queues(self.context(), first, after))

    async def pause_queue(self, queue: str) -> Queue:
        """Pause a queue: within a second, none of its pending jobs start."""
        name = _queue_name(queue)
        return await self.mutate(
            "pauseQueue", {"queue": name}, lambda context: admin.pause_queue(context, name)
        )

    async def resume_queue(self, queue: str, weight: int | None = None) -> Queue:
        """Resume a queue, with a new weight of 1 to 1,000 if one is given."""
        if weight is not None:
            require_range("weight", weight, 1, MAX_WEIGHT)
        name = _queue_name(queue)
        return await self.mutate(
            "resumeQueue",
            {"queue": name, "weight": weight},
            lambda context: admin.resume_queue(context, name, weight),
        )

    async def quotas(self, owner: str) -> list[Quota]:
        """Read the quotas of an owner."""
        return await call(self.context(_owner(owner)).quotas())

    async def owner(self, owner: str) -> Owner:
        """Read what is known of an owner; of an unknown one, only the id."""
        return await call(admin.owner(self.context(), _owner(owner)))

    async def suspended_owners(
        self, *, first: int = 100, after: Owner | None = None
    ) -> Page[Owner]:
        """Read a page of up to 1,000 suspended owners, newest suspension first."""
        window = page_window(first, after, after.suspended_at if after else None)
        return await call(admin.suspended_owners(self.context(), window))

    async def suspend_owner(self, owner: str, reason: str | None = None) -> Owner:
        """Refuse new work of an owner; `reason`, 1 to 500 characters, appears in errors."""
        if reason is not None and not 1 <= len(reason) <= MAX_REASON_CHARS:
            message = f"reason must have 1 to {MAX_REASON_CHARS} characters, got {len(reason)}"
            raise BadRequest.at("reason", message=message, code="length")
        text = None if reason is None else replace_surrogates(reason)
        found = _owner(owner)
        return await self.mutate(
            "suspendOwner",
            {"owner": found, "reason": text},
            lambda context: admin.suspend_owner(context, found, text),
        )

    async def resume_owner(self, owner: str) -> Owner:
        """End a suspension, and resume what it paused; raises PreconditionFailed."""
        found = _owner(owner)
        return await self.mutate(
            "resumeOwner", {"owner": found}, lambda context: admin.resume_owner(context, found)
        )

    async def purge_owner(self, owner: str) -> Owner:
        """Start to delete everything of a suspended owner; raises PreconditionFailed."""
        found = _owner(owner)
        return await self.mutate(
            "purgeOwner", {"owner": found}, lambda context: admin.purge_owner(context, found)
        )

    async def token_revocations(
        self, *, first: int = 100, after: Revocation | None = None
    ) -> Page[Revocation]:
        """Read a page of up to 1,000 revocations of tokens, newest first."""
        window = page_window(first, after, after.revoked_at if after else None)
        return await call(revocations.token_revocations(self.context(), window))

    async def revoke_token(self, jti: str) -> Revocation:
        """Revoke one token by its `jti`; API processes refuse it within 10 seconds."""
        token_id = require_name("jti", jti)
        return await self.mutate(
            "revokeToken",
            {"jti": token_id},
            lambda context: revocations.revoke_token(context, token_id),
        )

    async def revoke_tokens(self, subject: str, before: datetime | None = None) -> Revocation:
        """Revoke a user's tokens issued before an aware instant, by default now."""
        user = _owner(subject)
        return await self.mutate(
            "revokeTokens",
            {"subject": user, "before": before},
            lambda context: revocations.revoke_tokens(context, user, before),
        )

    async def delete_revocation(self, revocation_id: str) -> Revocation:
        """Delete a revocation: its tokens are accepted again. Raises NotFound."""
        return await self.mutate(
            "deleteRevocation",
            {"id": revocation_id},
            lambda context: revocations.delete_revocation(context, revocation_id),
        )

    async def alerts(
        self,
        which: AlertFilter | None = None,
        *,
        owner: str | None = None,
        first: int = 100,
        after: Alert | None = None,
    ) -> Page[Alert]:
        """Read a page of up to 1,000 alerts, newest first: all, or those about an owner's crons and
        jobs."""
        window = page_window(first, after)
        return await call(alerts.alerts(self.context(owner), which or AlertFilter(), window))

    async def acknowledge_alert(self, alert_id: str, *, owner: str | None = None) -> Alert:
        """Acknowledge an open alert; raises NotFound, or PreconditionFailed in another state."""
        return await self.mutate(
            "acknowledgeAlert",
            {"alertId": alert_id},
            lambda context: alerts.acknowledge_alert(context, alert_id),
            owner,
        )

    async def resolve_alert(self, alert_id: str, *, owner: str | None = None) -> Alert:
        """Resolve an alert; raises NotFound, or PreconditionFailed if it is resolved."""
        return await self.mutate(
            "resolveAlert",
            {"alertId": alert_id},
            lambda context: alerts.resolve_alert(context, alert_id),
            owner,
        )

    async def audit_log(
        self,
        which: AuditFilter | None = None,
        *,
        first: int = 100,
        after: AuditEntry | None = None,
    ) -> Page[AuditEntry]:
        """Read a page of up to 1,000 calls of mutations and of this client, newest first."""
        window = page_window(first, after)
        return await call(audit.audit_log(self.context(), which or AuditFilter(), window))


def _owner(owner: str) -> str:
    found = require_owner(owner)
    if found is None:
        message = "owner must be the id of a user: the system cannot be suspended"
        raise BadRequest.at("owner", message=message, code="missing")
    return found


def _queue_name(name: str) -> str:
    if not is_queue_name(name):
        message = f"queue must match {QUEUE_PATTERN}, got {name!r:.100}"
        raise BadRequest.at("queue", message=message, code="invalid")
    return name
