"""The decorators `@mutation`, `@action` and `@cron`.

A mistake raises DeclarationError when the module is imported.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Concatenate, Never, ParamSpec, TypedDict, TypeVar, Unpack

from ostinato.jobs.arguments import Arguments, build_arguments
from ostinato.jobs.context import Context
from ostinato.jobs.declarations import (
    DeclarationError,
    StaticCron,
    is_decorator_target,
    require_async,
    require_context,
    require_options,
    require_parameters,
    shown,
)
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.exclusions import exclusion_issues, never_runs_issues
from ostinato.jobs.failure_hooks import FailureHook
from ostinato.jobs.options import CRON_OPTIONS, FUNCTION_OPTIONS
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.records import FunctionKind, JsonObject, Schedule
from ostinato.jobs.registry import Function, default_name, given_name, registry
from ostinato.jobs.retry import NO_RETRY, Retry
from ostinato.jobs.schedules import parse_schedule
from ostinato.jobs.tags import parse_tags
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions, FoldPolicy, GapPolicy

P = ParamSpec("P")
R = TypeVar("R")
AnyCall = TypeVar("AnyCall", bound=Callable[..., Awaitable[Any]])
JobFunction = Callable[Concatenate[Context, P], Awaitable[R]]


class FunctionOptions(TypedDict, total=False):
    """The options of `@mutation` and `@action`."""

    name: str
    """Default: `module.camelName`."""
    public: bool
    """Whether every signed-in user can schedule it. Default: no."""
    roles: tuple[str, ...]
    """Users with one of these roles can schedule it."""
    retry: Retry
    """Retry policy. Default: no retries."""
    timeout_ms: int
    """Time limit of one attempt, in real time. Default: a setting per kind."""
    internal: bool
    """Whether its jobs belong to the system: hidden from lists unless requested."""
    result_ttl_ms: int
    """How long its finished jobs are kept. Default: the setting `purge_after_ms`."""
    concurrency: int
    """Maximum number of its jobs that one worker process runs at once. Default: no limit."""
    rate_limit: RateLimit
    """Maximum rate of starts across all workers. Default: no limit."""
    on_failure: FailureHook
    """Called after one of its jobs has failed for good, at least once. Default: nothing."""


def mutation(
    *misplaced: Never, **options: Unpack[FunctionOptions]
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    """Register a coroutine that runs in one MongoDB transaction with its job's success.

    Its writes through `ctx.db` and the jobs it schedules take effect exactly once. After a
    write conflict, its body runs again, so it must not call external services.
    """
    return _registering(FunctionKind.MUTATION, misplaced, options)


def action(
    *misplaced: Never, **options: Unpack[FunctionOptions]
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    """Register a coroutine that may call external services; runs at most once per attempt."""
    return _registering(FunctionKind.ACTION, misplaced, options)


class CronDeclaration(TypedDict, total=False):
    """The options of `@cron`."""

    every_ms: int | None
    tz: str
    """IANA time zone of the cronspec and the exclusions. Default: UTC."""
    on_gap: GapPolicy
    """What happens to fixed times that the clocks skip. Default: NEXT, the first instant after."""
    on_fold: FoldPolicy
    """In which pass of repeated times it runs. Default: FIRST."""
    exclusions: Exclusions
    """The days on which it does not run. Default: none."""
    name: str | None
    """Default: the function's name."""
    args: Mapping[str, object] | None
    tags: Sequence[str]
    """The tags of its jobs, at most 10. Default: none."""


def cron(
    cronspec: str | None = None, **options: Unpack[CronDeclaration]
) -> Callable[[AnyCall], AnyCall]:
    """Run the decorated function on a schedule; place it above `@mutation` or `@action`.

    Takes either `cronspec` (in time zone `tz`) or `every_ms`. The cron belongs to the system: it
    has no owner, and only the code can change it.
    """
    _require_parentheses("@cron", (cronspec,), "@cron(every_ms=60_000)")

    def declare(call: AnyCall) -> AnyCall:
        require_options(call, "@cron", {"cronspec": cronspec, **options}, CRON_OPTIONS)
        registered = given_name(call)
        if registered is None:
            problem = "@cron is not above a registered function; write it above @mutation() or "
            raise DeclarationError(call, problem + "@action()")
        declared = StaticCron(
            name=options.get("name") or registered,
            function_name=registered,
            schedule=_schedule(call, cronspec, options),
            args=_bound_args(call, registry.resolve(registered), options.get("args") or {}),
            tags=parse_tags(options.get("tags", ())),
            exclusions=options.get("exclusions", NO_EXCLUSIONS),
        )
        registry.declare_cron(declared, call)
        return call

    return declare


def _schedule(call: AnyCall, cronspec: str | None, options: CronDeclaration) -> Schedule:
    every_ms = options.get("every_ms")
    if (cronspec is None) == (every_ms is None):
        problem = "@cron needs either a cronspec or every_ms"
        raise DeclarationError(call, f"{problem}; write @cron(every_ms=60_000), for example")
    exclusions = options.get("exclusions", NO_EXCLUSIONS)
    try:
        schedule = parse_schedule(
            every_ms,
            cronspec,
            options.get("tz", "UTC"),
            options.get("on_gap", GapPolicy.NEXT),
            options.get("on_fold", FoldPolicy.FIRST),
        )
    except BadRequest as error:
        problem = str(error).replace("intervalMs", "every_ms")
        raise DeclarationError(call, f"@cron: {problem}") from None
    for issue in (*exclusion_issues(exclusions), *never_runs_issues(schedule, exclusions)):
        raise DeclarationError(call, f"@cron: exclusions: {issue.message}")
    return schedule


def _bound_args(call: AnyCall, function: Function, args: Mapping[str, object]) -> JsonObject:
    try:
        return function.bind(args)
    except BadRequest as error:
        problem = f"@cron: {error}; write the function's arguments as args={{…}}"
        raise DeclarationError(call, problem) from None


def _registering(
    kind: FunctionKind, misplaced: tuple[object, ...], options: FunctionOptions
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    decorator = f"@{kind.value}"
    _require_parentheses(decorator, misplaced, f"{decorator}()")

    def register(call: JobFunction[P, R]) -> JobFunction[P, R]:
        if misplaced:
            problem = f"{decorator} takes its options by name, got {shown(misplaced[0])}"
            raise DeclarationError(call, f"{problem}; write {decorator}(name=…)")
        require_async(call, decorator)
        require_context(call)
        require_options(call, decorator, options, FUNCTION_OPTIONS)
        if given_name(call):
            problem = f"{decorator} is above another @mutation or @action; keep one of the two"
            raise DeclarationError(call, problem)
        _register(kind, call, options)
        return call

    return register


def _register(kind: FunctionKind, call: JobFunction[P, R], options: FunctionOptions) -> None:
    arguments = build_arguments(call)
    rate_limit = options.get("rate_limit")
    _require_key(call, rate_limit, arguments)
    if hook := options.get("on_failure"):
        require_async(hook, "on_failure")
        require_parameters(hook, "a failure hook", "ctx", "failed")
    name = options.get("name") or default_name(call)
    registry.add(
        Function(
            name=name,
            kind=kind,
            call=call,
            arguments=arguments,
            public=options.get("public", False),
            roles=frozenset(options.get("roles", ())),
            retry=options.get("retry", NO_RETRY),
            timeout_ms=options.get("timeout_ms"),
            internal=options.get("internal", False),
            result_ttl_ms=options.get("result_ttl_ms"),
            concurrency=options.get("concurrency"),
            rate_limit=rate_limit,
            on_failure=options.get("on_failure"),
            has_default_name="name" not in options,
        )
    )
    call.__ostinato_name__ = name  # type: ignore[attr-defined]  # read by given_name


def _require_parentheses(decorator: str, given: tuple[object, ...], correct: str) -> None:
    if given and is_decorator_target(given[0]):
        raise DeclarationError(given[0], f"{decorator} needs parentheses; write {correct}")


def _require_key(call: object, limit: RateLimit | None, arguments: Arguments) -> None:
    key = limit.key if limit else None
    if key is not None and key not in arguments.names:
        known = ", ".join(sorted(arguments.names)) or "none"
        problem = f"the key of its rate_limit is {shown(key)}, which is not one of its arguments"
        raise DeclarationError(call, f"{problem}; use an argument in camelCase ({known})")
