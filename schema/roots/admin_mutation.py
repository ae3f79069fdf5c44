"""The Mutation root: the mutations of users, and those of admins."""

import strawberry

from ostinato.resolvers import admin, calendars, revocations
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.inputs.admin import (
    OwnerInput,
    QueueInput,
    ResumeQueueInput,
    RevocationIdInput,
    RevokeTokenInput,
    RevokeTokensInput,
    SuspendOwnerInput,
)
from ostinato.schema.inputs.calendars import CalendarInput, CalendarNameInput
from ostinato.schema.roots.bulk_actions import BulkActionMutation
from ostinato.schema.roots.mutation import Input
from ostinato.schema.roots.root_fields import run_use_case
from ostinato.schema.types.payloads import (
    CalendarPayload,
    OwnerPayload,
    QueuePayload,
    RevocationPayload,
)


@strawberry.type(
    name="Mutation",
    description="Changes objects. Every mutation returns the object that it changed.",
)
class AdminMutation(BulkActionMutation):
    @strawberry_field(
        description="Pause a queue: within a second, while MongoDB is available, none of its "
        "pending jobs start. Running jobs finish. No effect if it is already paused. Admins only."
    )
    async def pause_queue(self, info: Info, given: Input[QueueInput]) -> QueuePayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: admin.pause_queue(ctx, data.queue)
        )
        return QueuePayload.of(record)

    @strawberry_field(
        description="Resume a queue, with a new weight if one is given. If it is not paused, only "
        "the weight changes. Admins only."
    )
    async def resume_queue(self, info: Info, given: Input[ResumeQueueInput]) -> QueuePayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: admin.resume_queue(ctx, data.queue, data.weight),
        )
        return QueuePayload.of(record)

    @strawberry_field(
        description="Suspend a user: within a second, new work is rejected with OWNER_SUSPENDED, "
        "and the user's crons and recurring tasks pause. Jobs, batches and requests that were "
        "accepted go on. If the user is suspended, only the reason changes. Admins only."
    )
    async def suspend_owner(
        self, info: Info, given: Input[SuspendOwnerInput]
    ) -> OwnerPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: admin.suspend_owner(ctx, data.owner, data.reason)
        )
        return OwnerPayload.of(record)

    @strawberry_field(
        description="Resume a suspended user, and the crons and recurring tasks that the "
        "suspension paused. No effect if the user is not suspended. PRECONDITION_FAILED during a "
        "purge. Admins only."
    )
    async def resume_owner(self, info: Info, given: Input[OwnerInput]) -> OwnerPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: admin.resume_owner(ctx, data.owner)
        )
        return OwnerPayload.of(record)

    @strawberry_field(
        description="Delete everything that a suspended user has: jobs, crons, recurring tasks, "
        "batches, items, requests and failures. Running jobs are canceled first. Workers do this "
        "in the background, starting 6 seconds and the request timeout after the call, until "
        "`purgedAt` is set. "
        "PRECONDITION_FAILED unless the user is suspended. Admins only."
    )
    async def purge_owner(self, info: Info, given: Input[OwnerInput]) -> OwnerPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: admin.purge_owner(ctx, data.owner)
        )
        return OwnerPayload.of(record)

    @strawberry_field(
        description="Revoke one token by its `jti`. Within 10 seconds, every API process rejects "
        "it and closes its sockets and streams. Admins only."
    )
    async def revoke_token(
        self, info: Info, given: Input[RevokeTokenInput]
    ) -> RevocationPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: revocations.revoke_token(ctx, data.jti)
        )
        return RevocationPayload.of(record)

    @strawberry_field(
        description="Revoke all tokens of a user that were issued before an instant, in the same "
        "way. An instant before that of an earlier call has no effect. Admins only."
    )
    async def revoke_tokens(
        self, info: Info, given: Input[RevokeTokensInput]
    ) -> RevocationPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: revocations.revoke_tokens(ctx, data.subject, data.before),
        )
        return RevocationPayload.of(record)

    @strawberry_field(
        description="Delete a revocation: its tokens are accepted again until they expire. "
        "Admins only."
    )
    async def delete_revocation(
        self, info: Info, given: Input[RevocationIdInput]
    ) -> RevocationPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: revocations.delete_revocation(ctx, data.revocation_id)
        )
        return RevocationPayload.of(record)

    @strawberry_field(
        description="Create a calendar: a named list of days that crons can exclude. CONFLICT if "
        "there is one with this name. Admins only."
    )
    async def create_calendar(
        self, info: Info, given: Input[CalendarInput]
    ) -> CalendarPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: calendars.create_calendar(ctx, data.to_plain())
        )
        return CalendarPayload.of(record)

    @strawberry_field(
        description="Replace the days and the description of a calendar. This also counts for the "
        "next ticks of crons that exclude its days. Admins only."
    )
    async def replace_calendar(
        self, info: Info, given: Input[CalendarInput]
    ) -> CalendarPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: calendars.replace_calendar(ctx, data.to_plain())
        )
        return CalendarPayload.of(record)

    @strawberry_field(
        description="Delete a calendar. PRECONDITION_FAILED with the names of some crons if crons "
        "exclude its days. Admins only."
    )
    async def delete_calendar(
        self, info: Info, given: Input[CalendarNameInput]
    ) -> CalendarPayload | None:
        name = await run_use_case(
            info, given, lambda ctx, data: calendars.delete_calendar(ctx, data.name)
        )
        return CalendarPayload(name=name, calendar=None)
