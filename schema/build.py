"""The GraphQL schema; `python -m ostinato.schema.build` prints its SDL."""

from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

import ostinato.schema.types.enums  # noqa: F401  (must register the enums before a type uses them)
from ostinato.schema.execution.strawberry_internals import install_fast_paths
from ostinato.schema.roots.alerts import AlertMutation, AlertQuery, AlertSubscription
from ostinato.schema.scalars import SCALARS
from ostinato.schema.types.alert import Alert
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.bulk_action import BulkAction
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request


def build_schema(
    query: type[AlertQuery] = AlertQuery,
    mutation: type[AlertMutation] = AlertMutation,
    subscription: type[AlertSubscription] = AlertSubscription,
) -> strawberry.Schema:
    """Build a schema of Ostinato's root types, or of types that inherit from them."""
    schema = strawberry.Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=[Job, Cron, RecurringTask, Batch, Request, Failure, Alert, BulkAction],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    install_fast_paths(schema)
    return schema


graphql_schema: Final = build_schema()


def print_sdl() -> str:
    """Return the schema as SDL, the content of schema/schema.graphql."""
    return f"{graphql_schema.as_str()}\n"


if __name__ == "__main__":
    print(print_sdl(), end="")
