"""The user who is calling."""

from typing import Self

import strawberry

from ostinato.resolvers.auth import Viewer as ViewerRecord


@strawberry.type(description="The user who is calling.")
class Viewer:
    id: strawberry.ID = strawberry.field(
        description="Who it is: the `sub` of the token; `owner` of what the viewer makes."
    )
    roles: list[str] = strawberry.field(description="The roles that the token names, sorted.")
    is_admin: bool = strawberry.field(
        description="Whether the viewer sees and manages everybody's objects."
    )

    @classmethod
    def of(cls, viewer: ViewerRecord) -> Self:
        return cls(
            id=strawberry.ID(viewer.id), roles=sorted(viewer.roles), is_admin=viewer.is_admin
        )
