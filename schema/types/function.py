"""A registered function, as clients need to know it."""

from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs.records import FunctionKind
from ostinato.resolvers.functions import CatalogEntry
from ostinato.schema.scalars import Milliseconds


@strawberry.type(description="A function that jobs can run.")
class Function:
    name: str = strawberry.field(
        description="Its name, as `functionName` inputs take it: `module.camelName`."
    )
    kind: FunctionKind = strawberry.field(description="What it may do.")
    description: str = strawberry.field(description="What it does, in its author's words.")
    args_schema: JSON = strawberry.field(description="The JSON Schema of its arguments.")
    callable: bool = strawberry.field(
        description="Whether the viewer may schedule it, register it as a cron and start it as a "
        "recurring task."
    )
    max_attempts: int = strawberry.field(
        description="How often a job of it may be started: retries + 1."
    )
    timeout_ms: Milliseconds = strawberry.field(description="How long one attempt may take.")

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
