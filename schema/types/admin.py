"""The GraphQL types that only admins read, of queues, workers, owners, revocations and calls."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import audit, lanes, revocations, rights
from ostinato.jobs.paging import Page, PagePosition
from ostinato.jobs.worker_records import WorkerRecord
from ostinato.schema.fields import strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import (
    BY_REVOCATION,
    BY_SUSPENSION,
    Connection,
    build_connection,
)
from ostinato.schema.scalars import Milliseconds
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(
    description="A queue of jobs. Queues need no declaration: any valid name is a queue."
)
class Queue(RecordProxy[lanes.Queue]):
    name: str = strawberry.field(description="Its name, as used in `scheduleJob`.")
    paused: bool = strawberry.field(
        description="Whether it is paused: its pending jobs do not start until it is resumed."
    )
    weight: int = strawberry.field(
        description="Its share of the workers relative to other queues, when more jobs are due "
        "than the workers can run."
    )
    pending_due: int = strawberry.field(
        description="The number of its due jobs that have not started, capped at 1,000."
    )
    workers: int = strawberry.field(description="The number of workers that take jobs from it.")
    version: int = strawberry.field(
        description="Increases with every change; 0 if it was never paused or resumed."
    )


@strawberry.type(description="A process that runs jobs, as of its latest heartbeat.")
class Worker:
    id: strawberry.ID = strawberry.field(
        description="Its id. A process that was declared lost gets a new id if it continues."
    )
    host: str = strawberry.field(description="Its host name.")
    pid: int = strawberry.field(description="Its process id on that host.")
    version: str = strawberry.field(description="Its version of Ostinato.")
    queues: list[str] = strawberry.field(description="The queues that it takes jobs from.")
    slots: int = strawberry.field(description="The number of jobs it can run concurrently.")
    running: int = strawberry.field(description="The number of slots in use.")
    running_job_ids: list[strawberry.ID] = strawberry.field(
        description="The jobs it is running, longest running first, at most 100."
    )
    loop_lag_ms: Milliseconds = strawberry.field(
        description="The largest delay of its event loop in the second before the heartbeat. "
        "More than a few milliseconds indicates that a function blocks the loop."
    )
    started_at: datetime = strawberry.field(description="When it registered.")
    heard_at: datetime = strawberry.field(
        description="When its latest heartbeat arrived. After 9.5 seconds without a heartbeat (by "
        "default), its jobs become pending again; jobs that must not run twice fail."
    )

    @classmethod
    def of(cls, record: WorkerRecord) -> Self:
        return cls(
            id=global_id("Worker", record.id),
            host=record.host,
            pid=record.pid,
            version=record.version,
            queues=list(record.queues),
            slots=record.slots,
            running=record.heartbeat.running,
            running_job_ids=[global_id("Job", job_id) for job_id in record.heartbeat.job_ids],
            loop_lag_ms=Milliseconds(record.heartbeat.loop_lag_ms),
            started_at=record.started_at,
            heard_at=record.heard_at,
        )


@strawberry.type(description="A user who owns objects.")
class Owner(RecordProxy[rights.Owner]):
    suspended_at: datetime | None = strawberry.field(
        description="When the user was suspended; null unless the user is suspended."
    )
    suspended_by: str | None = strawberry.field(
        description="The admin who suspended the user; null unless the user is suspended."
    )
    suspension_reason: str | None = strawberry.field(
        description="The reason of the suspension, which the user sees in errors."
    )
    purge_requested_at: datetime | None = strawberry.field(
        description="When `purgeOwner` was called, after the latest suspension."
    )
    purged_at: datetime | None = strawberry.field(
        description="When that purge had deleted everything; null while it is running."
    )
    version: int = strawberry.field(
        description="Increases with every suspension, resumption and purge."
    )

    @strawberry_field(
        description="The user's id: the `sub` of the tokens, and the `owner` of the objects."
    )
    def id(self) -> strawberry.ID:
        return strawberry.ID(self.record.id)

    @strawberry_field(
        description="The roles in the newest token that was verified, sorted; null if there was "
        "none."
    )
    def roles(self) -> list[str] | None:
        return None if self.record.roles is None else sorted(self.record.roles)


@strawberry.type(
    description="The revocation of one token, or of the tokens of a user until an instant. Within "
    "10 seconds, each API process rejects these tokens and closes their sockets and streams."
)
class TokenRevocation(RecordProxy[revocations.Revocation]):
    subject: str | None = strawberry.field(
        description="The user whose tokens are revoked; null if it revokes one token."
    )
    before: datetime | None = strawberry.field(
        description="The user's tokens whose `iat` is earlier are revoked; null if it revokes one "
        "token."
    )
    revoked_at: datetime = strawberry.field(description="When it was added or last changed.")
    revoked_by: str | None = strawberry.field(
        description="The admin who did so; null for the command line."
    )
    expires_at: datetime = strawberry.field(
        description="When all its tokens have expired; then it is deleted."
    )

    @strawberry_field(description="Its id, for `deleteRevocation`.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(self.record.id)

    @strawberry_field(description="The `jti` of the revoked token; null if it revokes a user's.")
    def jti(self) -> str | None:
        return self.record.token_id


def owner_connection(page: Page[rights.Owner]) -> Connection[Owner]:
    """Build the connection of a page of suspended owners."""

    def to_place(owner: rights.Owner) -> PagePosition:
        return PagePosition(id=owner.id, instant=owner.suspended_at)

    return build_connection(page, Owner.of, to_place, BY_SUSPENSION)


def revocation_connection(page: Page[revocations.Revocation]) -> Connection[TokenRevocation]:
    """Build the connection of a page of revocations."""

    def to_place(revocation: revocations.Revocation) -> PagePosition:
        return PagePosition(id=revocation.id, instant=revocation.revoked_at)

    return build_connection(page, TokenRevocation.of, to_place, BY_REVOCATION)


@strawberry.type(description="A call of a mutation, in the audit log.")
class AuditEntry(RecordProxy[audit.AuditEntry]):
    at: datetime = strawberry.field(
        description="When it was called, by the clock of the API's host."
    )
    source: audit.AuditSource = strawberry.field(description="How it was called.")
    user: str | None = strawberry.field(
        description="The user who called it: the `sub` of the token. With the source `PYTHON`, the "
        "owner for whom it was called; null if there is none."
    )
    as_admin: bool = strawberry.field(
        description="Whether the user had the role `admin`. With the source `PYTHON`, whether it "
        "was called for no owner."
    )
    mutation: str = strawberry.field(description="The mutation, such as `scheduleJob`.")
    address: str = strawberry.field(
        description="The client's address; empty if it is unknown. With the source `PYTHON`, the "
        "application's host name and process id."
    )
    outcome: str | None = strawberry.field(
        description="`OK`, the code of its error, or `INTERRUPTED` if it timed out or its client "
        "disconnected. Null while it runs, or if the API process ended during it."
    )

    @strawberry_field(description="The entry's id.")
    def id(self) -> strawberry.ID:
        return global_id("AuditEntry", self.record.id)

    @strawberry_field(
        description="The ids and options of its input, each text cut to 200 characters. Arguments, "
        "data and items are not recorded."
    )
    def input(self) -> JSON:
        return JSON(self.record.input)

    @strawberry_field(description="The object that it created or changed, if it names one.")
    def object_id(self) -> strawberry.ID | None:
        record = self.record
        if record.object_type is None or record.object_id is None:
            return None
        return global_id(record.object_type, record.object_id)
