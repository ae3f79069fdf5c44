"""The GraphQL type of a registered function."""

from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs.records import FunctionKind
from ostinato.resolvers.functions import CatalogEntry
from ostinato.schema.scalars import Milliseconds


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
