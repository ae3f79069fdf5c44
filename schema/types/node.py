"""What every stored object has in common: a global id and a version."""

import strawberry


@strawberry.interface(description="An object that can be read again by its id.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Unique among all objects; `node(id)` and the lookups of its type take it."
    )
    version: int = strawberry.field(
        description="Rises with every write: of two copies of an object, the higher one is newer."
    )
