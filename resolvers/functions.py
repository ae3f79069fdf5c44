"""Which functions there are for a viewer, and whether the viewer may use one."""

from dataclasses import dataclass

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.registry import Function, unknown_function
from ostinato.resolvers.request import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A function as a viewer sees it."""

    function: Function
    callable: bool
    """Whether the viewer may schedule it."""
    timeout_ms: int
    """How long one attempt may take, by its own limit or the setting for its kind."""


def list_functions(ctx: RequestContext) -> list[CatalogEntry]:
    """List the functions by name: all of them to an admin, to others those they may use."""
    viewer, settings = ctx.viewer, ctx.engine.settings
    defaults = {
        FunctionKind.MUTATION: settings.mutation_timeout_ms,
        FunctionKind.ACTION: settings.action_timeout_ms,
    }
    entries = [
        CatalogEntry(
            function=function,
            callable=function.callable_by(viewer.roles),
            timeout_ms=function.timeout_ms or defaults[function.kind],
        )
        for function in ctx.engine.registry
    ]
    return [entry for entry in entries if entry.callable or viewer.is_admin]


def require_callable_function(ctx: RequestContext, name: str) -> Function:
    """Find a function that the viewer may use.

    Raises BadRequest at ("functionName",) if there is none, Forbidden if it is not for the viewer.
    """
    roles, registry = ctx.viewer.roles, ctx.engine.registry
    function = registry.get(name)
    if function is None:
        raise unknown_function(name, [each.name for each in registry if each.callable_by(roles)])
    if not function.callable_by(roles):
        raise Forbidden(f"you may not use the function {name!r}; `functions` lists those you may")
    return function
