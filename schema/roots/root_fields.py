"""What the root fields share: they validate arguments, run use cases and find selected fields."""

from collections.abc import Awaitable, Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final, Protocol, TypeVar, runtime_checkable

import strawberry
from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from ostinato.jobs.errors import BadRequest
from ostinato.resolvers.audit import MutationCall, run_audited
from ostinato.resolvers.context import RequestContext
from ostinato.schema.fields import Info
from ostinato.schema.inputs.validation import bad_request, validate_input

T = TypeVar("T")
R = TypeVar("R")

INPUT: Final = "input"

IdArgument = Annotated[
    strawberry.ID, strawberry.argument(name="id", description="The object's id.")
]


@runtime_checkable
class Summarized(Protocol):
    """An input of which the audit log records a summary."""

    def recorded(self) -> Mapping[str, object]:
        """Return what is recorded, by the names in the API."""
        ...


def validate_argument(info: Info, given: T, name: str) -> T:
    """Validate an input argument; raises Unauthorized or BadRequest."""
    info.context.require_viewer()
    return validate_input(given, name)


async def run_use_case(
    info: Info,
    given: T,
    use_case: Callable[[RequestContext, T], Awaitable[R]],
    **options: object,
) -> R:
    """Validate the argument `input`, run the use case with it, and record the call.

    `options` are the other arguments of the field, for the record. Issues from the use case get
    the path of the input, like issues from validation, unless they are about an option.
    """

    async def run() -> R:
        data = validate_argument(info, given, INPUT)
        with issues_below(INPUT, options):
            return await use_case(info.context, data)

    recorded = given.recorded() if isinstance(given, Summarized) else given
    return await run_audited(info.context, MutationCall(info.field_name, recorded, options), run)


@contextmanager
def issues_below(name: str, others: Container[str | int] = ()) -> Iterator[None]:
    """Add the name of an argument to the paths of the issues that a use case raises; those of
    other arguments keep theirs."""
    try:
        yield
    except BadRequest as error:
        if not error.issues:
            raise
        placed = [issue for issue in error.issues if issue.path[0] in others]
        raise (bad_request(placed) if placed else bad_request(list(error.issues), name)) from error


def selects(info: Info, name: str) -> bool:
    """Return whether the current field selects the field `name`, directly or in a fragment.

    Fields with `@skip` or `@include` count as selected.
    """
    return any(
        _has(selection, name) for field in info.selected_fields for selection in field.selections
    )


def _has(selection: Selection, name: str) -> bool:
    if isinstance(selection, InlineFragment | FragmentSpread):
        return any(_has(inner, name) for inner in selection.selections)
    return selection.name == name
