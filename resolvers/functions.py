"""Use cases of functions: list visible functions, and check whether one is callable."""

from dataclasses import dataclass
from typing import assert_never

from ostinato.jobs.errors import BadRequest, Forbidden, Issue
from ostinato.jobs.queue_warnings import SchedulingWarning, WarningCode
from ostinato.jobs.records import Cron, Job, JsonObject, PauseReason, RecurringTask
from ostinato.jobs.registry import AnyTarget, Function, time_limit_ms, unknown_function
from ostinato.jobs.rights import CLIENT_CAUSES, describe_role_lost, has_role_for, role_lost
from ostinato.resolvers.context import ApplicationContext, RequestContext


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
            callable=ctx.may_use(function),
            timeout_ms=time_limit_ms(function, settings),
        )
        for function in ctx.engine.registry
    ]
    return [entry for entry in entries if entry.callable or viewer.is_admin]


def require_callable_function(ctx: RequestContext, name: str) -> Function:
    """Return a function that the viewer can schedule.

    Raises BadRequest at ("functionName",) if it is unknown to the viewer. Admins, who see all
    functions, get Forbidden for one that is not callable.
    """
    viewer, registry = ctx.viewer, ctx.engine.registry
    function = registry.get(name)
    if function is not None and ctx.may_use(function):
        return function
    if function is not None and viewer.is_admin:
        raise Forbidden(
            f"you cannot use the function {name!r}; `functions` lists those you can use"
        )
    callable_names = [each.name for each in registry if ctx.may_use(each)]
    raise unknown_function(name, callable_names)


def call_issues(ctx: RequestContext, name: str, args: JsonObject) -> list[Issue]:
    """Return the issues of a call that the viewer wants to schedule; none if the viewer may not use
    the function, which is an error of its own."""
    try:
        require_callable_function(ctx, name).bind(args)
    except BadRequest as error:
        return list(error.issues)
    except Forbidden:
        return []
    else:
        return []


def target_of(ctx: RequestContext, name: str) -> AnyTarget:
    """Return the function of a stored job, for new arguments that the viewer sends.

    Raises Forbidden unless the viewer can schedule it. An application need not have imported it.
    """
    if isinstance(ctx, ApplicationContext):
        return ctx.engine.registry.target(name)
    function = ctx.engine.registry.get(name)
    if function is None or not ctx.may_use(function):
        raise Forbidden(
            f"you cannot change the arguments of {name!r}, because you cannot schedule it: retry "
            "the job without `args`"
        )
    return function


def require_roles_of(ctx: RequestContext, function_name: str) -> None:
    """Raise Forbidden if a function requires a role that the viewer has lost.

    For work that was scheduled before: its function may also be one that clients cannot call.
    """
    viewer, function = ctx.viewer, ctx.engine.registry.get(function_name)
    if function is None or not function.roles or viewer.is_admin:
        return
    if not function.callable_by(viewer.roles):
        roles = " or ".join(sorted(function.roles))
        raise Forbidden(f"{function_name!r} requires the role {roles}: ask for it, or for an admin")


async def require_rights_of_owner(ctx: RequestContext, found: Job) -> None:
    """Raise OwnerSuspended, or PreconditionFailed if the owner of a job has lost its function's
    role. An admin's own roles do not count: the job runs on behalf of its owner."""
    if found.owner is None:
        return
    await ctx.engine.owners.require_active(found.owner)
    function = ctx.engine.registry.get(found.function_name)
    if function is None or found.owner == ctx.viewer.id or found.cause.kind not in CLIENT_CAUSES:
        return
    if not has_role_for(function, await ctx.engine.owners.find(found.owner)):
        raise role_lost(function, found.owner)


def pause_warnings(ctx: RequestContext, record: Cron | RecurringTask) -> list[SchedulingWarning]:
    """Return the reason why Ostinato paused a cron or recurring task; empty if it did not."""
    match record.paused_because:
        case None:
            return []
        case PauseReason.OWNER_SUSPENDED:
            message = (
                f"an admin suspended its owner, {record.owner!r}: it resumes with the owner "
                "(resumeOwner)"
            )
            return [SchedulingWarning(code=WarningCode.OWNER_SUSPENDED, message=message)]
        case PauseReason.ROLE_LOST:
            function = ctx.engine.registry.get(record.function_name)
            lost = (
                f"its owner has lost a role that {record.function_name!r} required"
                if function is None
                else describe_role_lost(function, record.owner)
            )
            message = f"{lost}: sign in with the role, then resume it"
            return [SchedulingWarning(code=WarningCode.ROLE_LOST, message=message)]
        case PauseReason.FAILED_RUNS:
            message = (
                "its last runs have failed, as many as its pauseAfterFailures: correct the cause "
                "(`failures` lists the errors), then resume it"
            )
            return [SchedulingWarning(code=WarningCode.FAILED_RUNS, message=message)]
        case PauseReason.MAX_RUNS:
            message = "as many of its ticks have run as maxRuns: raise maxRuns to resume it"
            return [SchedulingWarning(code=WarningCode.MAX_RUNS, message=message)]
        case never:
            assert_never(never)
