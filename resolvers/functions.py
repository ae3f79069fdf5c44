"""Use cases of functions: list visible functions, and check whether one is callable."""

from dataclasses import dataclass

from ostinato.jobs.errors import Forbidden
from ostinato.jobs.registry import Function, time_limit_ms, unknown_function
from ostinato.resolvers.context import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A function from the viewer's perspective."""

    function: Function
    callable: bool
    """Whether the viewer can schedule it."""
    timeout_ms: int
    """Time limit of one attempt: the function's own, or the setting for its kind."""


def list_functions(ctx: RequestContext) -> list[CatalogEntry]:
    """List functions by name: all of them for admins, the callable ones for other viewers."""
    viewer, settings = ctx.viewer, ctx.engine.settings
    entries = [
        CatalogEntry(
            function=function,
            callable=function.callable_by(viewer.roles),
            timeout_ms=time_limit_ms(function, settings),
        )
        for function in ctx.engine.registry
    ]
    return [entry for entry in entries if entry.callable or viewer.is_admin]


def require_callable_function(ctx: RequestContext, name: str) -> Function:
    """Return a function that the viewer can schedule.

    Raises BadRequest at ("functionName",) if it is unknown, Forbidden if it is not callable.
    """
    roles, registry = ctx.viewer.roles, ctx.engine.registry
    function = registry.get(name)
    if function is None:
        raise unknown_function(name, [each.name for each in registry if each.callable_by(roles)])
    if not function.callable_by(roles):
        raise Forbidden(
            f"you cannot use the function {name!r}; `functions` lists those you can use"
        )
    return function
