"""The GraphQL types of the viewer, and of the functions that the viewer may use."""

from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs.quotas import limits
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.records import FunctionKind
from ostinato.resolvers import auth
from ostinato.resolvers.functions import CatalogEntry
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.scalars import Milliseconds


@strawberry.type(
    description="One quota of a user. More than its limit is rejected with QUOTA_EXCEEDED."
)
class Quota:
    kind: QuotaKind = strawberry.field(description="What it limits.")
    used: float = strawberry.field(
        description="How much of it is used. A count stops at one more than the limit."
    )
    limit: float | None = strawberry.field(description="The limit; null if there is none.")

    @classmethod
    def of(cls, quota: limits.Quota) -> Self:
        return cls(kind=quota.kind, used=quota.used, limit=quota.limit)


@strawberry.type(description="The authenticated user.")
class Viewer:
    id: strawberry.ID = strawberry.field(
        description="The user's id: the `sub` of the token, and the `owner` of the user's objects."
    )
    roles: list[str] = strawberry.field(description="The roles in the token, sorted.")
    is_admin: bool = strawberry.field(
        description="Whether the user can read and manage the objects of all users."
    )

    @strawberry_field(
        description="The user's quotas, the same for all users. The figures are up to two seconds "
        "old, and `STORED_BYTES` up to a minute."
    )
    async def quotas(self, info: Info) -> list[Quota]:
        return [Quota.of(quota) for quota in await info.context.quotas()]

    @classmethod
    def of(cls, viewer: auth.Viewer) -> Self:
        return cls(
            id=strawberry.ID(viewer.id), roles=sorted(viewer.roles), is_admin=viewer.is_admin
        )


@strawberry.type(description="A function that jobs can run.")
class Function:
    name: str = strawberry.field(
        description="Its name, as used in `functionName`: `module.camelName`."
    )
    kind: FunctionKind = strawberry.field(description="Its kind.")
    description: str = strawberry.field(description="Its docstring.")
    args_schema: JSON = strawberry.field(description="The JSON Schema of its arguments.")
    callable: bool = strawberry.field(
        description="Whether the viewer may schedule it, and use it in crons and recurring tasks."
    )
    max_attempts: int = strawberry.field(description="The maximum number of attempts: retries + 1.")
    timeout_ms: Milliseconds = strawberry.field(description="The timeout of one attempt.")

    @classmethod
    def of(cls, entry: CatalogEntry) -> Self:
        function = entry.function
        return cls(
            name=function.name,
            kind=function.kind,
            description=function.description,
            args_schema=JSON(function.arguments.json_schema()),
            callable=entry.callable,
            max_attempts=function.retry.retries + 1,
            timeout_ms=Milliseconds(entry.timeout_ms),
        )
