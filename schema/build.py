"""Builds the schema out of its roots, and prints it: `python -m schema.build`."""

from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

import schema.types.enums  # noqa: F401  (describes the enums before a type uses them)
from schema.fields import read_attributes_directly
from schema.inputs.building import build_flat_inputs_by_plan
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import SCALARS
from schema.subscription import Subscription
from schema.types.batch import Batch
from schema.types.cron import Cron
from schema.types.failure import Failure
from schema.types.job import Job
from schema.types.recurring_task import RecurringTask
from schema.types.request import Request

graphql_schema: Final = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Job, Cron, RecurringTask, Batch, Request, Failure],
    config=StrawberryConfig(scalar_map=SCALARS),
)
build_flat_inputs_by_plan(graphql_schema)
read_attributes_directly(graphql_schema)


def sdl() -> str:
    """Print the schema as schema/schema.graphql holds it."""
    return f"{graphql_schema.as_str()}\n"


if __name__ == "__main__":
    print(sdl(), end="")
