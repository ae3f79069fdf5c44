"""Builds the schema out of its roots, and prints it: `python -m schema.build`."""

from typing import Final

import strawberry
from graphql import (
    ConstObjectValueNode,
    GraphQLDefaultInput,
    GraphQLInputObjectType,
    GraphQLSchema,
)
from strawberry.schema.config import StrawberryConfig

import schema.types.enums  # noqa: F401  (describes the enums before a type uses them)
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


def _give_empty_objects_a_literal(core: GraphQLSchema) -> None:
    """Give each input field whose default is `{}` that default as a literal, too.

    graphql-core cannot print a value of a scalar that is an object, and answers an
    introspection with an error in its place: clients would then take the field as required.
    """
    inputs = [kind for kind in core.type_map.values() if isinstance(kind, GraphQLInputObjectType)]
    for field in (field for kind in inputs for field in kind.fields.values()):
        if field.default_value == {}:
            field.default = GraphQLDefaultInput(literal=ConstObjectValueNode(fields=()))


_give_empty_objects_a_literal(graphql_schema._schema)  # noqa: SLF001  (no public way to it)


def sdl() -> str:
    """Print the schema as schema/schema.graphql holds it."""
    return f"{graphql_schema.as_str()}\n"


if __name__ == "__main__":
    print(sdl(), end="")
