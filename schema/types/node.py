"""The interface of all stored objects: a global id and a version."""

import strawberry


@strawberry.interface(description="An object that can be read by its id.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Its globally unique id, for `node(id)` and the lookups of its type."
    )
    version: int = strawberry.field(
        description="Increases with every write: a copy with a higher version is newer."
    )
