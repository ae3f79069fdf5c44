"""Inputs of the fields that only admins use: queues, owners, tokens and the audit log."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from ostinato.jobs import audit
from ostinato.schema.inputs.limits import (
    Name,
    OwnerId,
    QueueName,
    Reason,
    RevocationId,
    TokenId,
    Weight,
)


@strawberry.input(description="The queue to pause.")
class QueueInput:
    queue: QueueName = strawberry.field(
        description="The queue's name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )


@strawberry.input(description="The queue to resume, and optionally its new weight.")
class ResumeQueueInput:
    queue: QueueName = strawberry.field(
        description="The queue's name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )
    weight: Weight | None = strawberry.field(
        default=UNSET,
        description="The queue's new share of the workers relative to other queues: 1 to 1000. "
        "Unchanged if omitted; initially 1.",
    )


@strawberry.input(description="A user who owns objects.")
class OwnerInput:
    owner: OwnerId = strawberry.field(
        description="The user's id: the `sub` of the user's tokens, 1 to 255 characters."
    )


@strawberry.input(description="The user to suspend.")
class SuspendOwnerInput:
    owner: OwnerId = strawberry.field(
        description="The user's id: the `sub` of the user's tokens, 1 to 255 characters."
    )
    reason: Reason | None = strawberry.field(
        default=UNSET,
        description="Why, 1 to 500 characters. The user sees it in errors.",
    )


@strawberry.input(description="The token to revoke.")
class RevokeTokenInput:
    jti: TokenId = strawberry.field(description="The token's `jti`, 1 to 1,024 characters.")


@strawberry.input(description="The tokens of a user to revoke.")
class RevokeTokensInput:
    subject: OwnerId = strawberry.field(
        description="The user's id: the `sub` of the tokens, 1 to 255 characters."
    )
    before: datetime | None = strawberry.field(
        default=UNSET,
        description="Revoke the tokens whose `iat` is earlier: now by default, and at most 5 "
        "minutes in the future. `iat` is in whole seconds, so this includes tokens of the same "
        "second.",
    )


@strawberry.input(description="The revocation to delete.")
class RevocationIdInput:
    revocation_id: RevocationId = strawberry.field(description="Its `id`.")


@strawberry.input(description="Conditions that entries must match. Omitted fields match all.")
class AuditFilter:
    user: OwnerId | None = strawberry.field(
        default=UNSET, description="Only calls of this user: the `sub` of the tokens."
    )
    mutation: Name | None = strawberry.field(
        default=UNSET, description="Only calls of this mutation, such as `scheduleJob`."
    )
    called_from: datetime | None = strawberry.field(
        default=UNSET, description="Only calls at this time or later."
    )
    called_to: datetime | None = strawberry.field(
        default=UNSET, description="Only calls before this time."
    )

    def to_plain(self) -> audit.AuditFilter:
        """Convert the validated filter for the use case."""
        return audit.AuditFilter(
            user=self.user,
            mutation=self.mutation,
            from_at=self.called_from,
            to_at=self.called_to,
        )


FilterAudit = Annotated[
    AuditFilter | None,
    strawberry.argument(
        name="filter", description="Conditions that entries must match. If omitted, all entries."
    ),
]
