"""How a user's module declares its functions: `@mutation`, `@action` and `@cron`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypedDict, TypeVar, Unpack

from ostinato.jobs.arguments import arguments_of
from ostinato.jobs.context import Context
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.records import FunctionKind
from ostinato.jobs.registry import Function, StaticCron, name_of, registry
from ostinato.jobs.retry import NO_RETRY, Retry
from ostinato.jobs.schedules import parse_schedule

P = ParamSpec("P")
R = TypeVar("R")
AnyCall = TypeVar("AnyCall", bound=Callable[..., Awaitable[Any]])
JobFunction = Callable[Concatenate[Context, P], Awaitable[R]]


class FunctionOptions(TypedDict, total=False):
    """What `@mutation` and `@action` take."""

    name: str
    """Default: `module.camelName`."""
    public: bool
    """Whether every signed-in user may schedule it. Default: no."""
    roles: tuple[str, ...]
    """Users with one of these roles may schedule it."""
    retry: Retry
    """When it runs again after an exception. Default: never."""
    timeout_ms: int
    """Real time for one attempt. Default: a setting, by kind."""
    internal: bool
    """Whether its jobs are the system's own: hidden from lists unless asked for."""
    result_ttl_ms: int
    """How long its finished jobs are kept. Default: the setting `purge_after_ms`."""
    concurrency: int
    """How many of it one worker process runs at once. Default: as many as there is room for."""
    rate_limit: RateLimit
    """How often it may start, in all workers together. Default: as often as it is asked."""


def mutation(
    **options: Unpack[FunctionOptions],
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    """Register a coroutine that runs in one MongoDB transaction with its own success.

    Its writes through `ctx.db` and the jobs it schedules happen exactly once. Its body may run
    more than once before that (a conflict reruns it): it must not touch the outside world.
    """
    return _registering(FunctionKind.MUTATION, options)


def action(
    **options: Unpack[FunctionOptions],
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    """Register a coroutine that may touch the outside world: at most once per attempt."""
    return _registering(FunctionKind.ACTION, options)


def cron(
    cronspec: str | None = None,
    *,
    every_ms: int | None = None,
    tz: str = "UTC",
    name: str | None = None,
    args: Mapping[str, object] | None = None,
) -> Callable[[AnyCall], AnyCall]:
    """Run the function below it on a schedule; goes above `@mutation` or `@action`.

    Either `cronspec` (in time zone `tz`) or `every_ms`. The cron is the system's own: it has no
    owner, and the code is where it is changed. Its name is the function's unless given. Raises
    ValueError for a schedule that makes no sense.
    """
    if (cronspec is None) == (every_ms is None):
        raise ValueError("@cron takes either a cronspec or every_ms")
    try:
        schedule = parse_schedule(every_ms, cronspec, tz)
    except BadRequest as error:
        raise ValueError(f"@cron: {error}") from None

    def declare(call: AnyCall) -> AnyCall:
        function = registry.resolve(call)
        registry.declare_cron(
            StaticCron(
                name=name or function.name,
                function_name=function.name,
                schedule=schedule,
                args=function.bind(args or {}),
            )
        )
        return call

    return declare


def _registering(
    kind: FunctionKind, options: FunctionOptions
) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    def register(call: JobFunction[P, R]) -> JobFunction[P, R]:
        name = options.get("name") or name_of(call)
        call.__ostinato_name__ = name  # type: ignore[attr-defined]  # read by name_of
        registry.add(
            Function(
                name=name,
                kind=kind,
                call=call,
                arguments=arguments_of(call),
                public=options.get("public", False),
                roles=frozenset(options.get("roles", ())),
                retry=options.get("retry", NO_RETRY),
                timeout_ms=options.get("timeout_ms"),
                internal=options.get("internal", False),
                result_ttl_ms=options.get("result_ttl_ms"),
                concurrency=options.get("concurrency"),
                rate_limit=options.get("rate_limit"),
            )
        )
        return call

    return register
