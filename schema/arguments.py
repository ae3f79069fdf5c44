"""The arguments that several root fields share, and how they reach a use case as plain values."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import strawberry

from ostinato.jobs.errors import BadRequest
from ostinato.resolvers.request import RequestContext
from ostinato.schema.context import Info
from ostinato.schema.inputs.checking import bad_request, checked

T = TypeVar("T")
R = TypeVar("R")

INPUT: Final = "input"

IdArgument = Annotated[
    strawberry.ID, strawberry.argument(name="id", description="The object's id.")
]


def checked_argument(info: Info, given: T, name: str) -> T:
    """Check the input in the argument of that name; raises Unauthorized or BadRequest."""
    info.context.require_viewer()
    return checked(given, name)


async def submitted(
    info: Info, given: T, use_case: Callable[[RequestContext, T], Awaitable[R]]
) -> R:
    """Check the argument `input` and run the use case with it.

    What the engine finds wrong is placed in the input, as what is wrong with its form is.
    """
    wanted = checked_argument(info, given, INPUT)
    try:
        return await use_case(info.context, wanted)
    except BadRequest as error:
        if not error.issues:
            raise
        raise bad_request(list(error.issues), INPUT) from error
