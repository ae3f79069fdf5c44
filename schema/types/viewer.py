"""The GraphQL type of the calling user."""

from typing import Self

import strawberry

from ostinato.resolvers.auth import Viewer as ViewerRecord


@strawberry.type(description="The user who is calling.")
class Viewer:
    id: strawberry.ID = strawberry.field(
        description="The user's id: the `sub` of the token, and the `owner` of what the user "
        "creates."
    )
    roles: list[str] = strawberry.field(description="The roles in the token, sorted.")
    is_admin: bool = strawberry.field(
        description="Whether the user can read and manage the objects of all users."
    )

    @classmethod
    def of(cls, viewer: ViewerRecord) -> Self:
        return cls(
            id=strawberry.ID(viewer.id), roles=sorted(viewer.roles), is_admin=viewer.is_admin
        )
