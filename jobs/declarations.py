"""Validates decorated functions: kind, signature and options.

Each message is one sentence: the function, its file and line, the problem, and the fix.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ostinato.jobs.nearest import nearest
from ostinato.jobs.records import JsonObject, Schedule
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions

CONTEXT: Final = "Context"
MAX_SHOWN_CHARS: Final = 60  # invalid values are truncated to this length in messages

Check = Callable[[str, object], str | None]
"""Takes an option's name and value; returns the problem, or None."""

HINTS: Final = {
    "retries": "write retry=Retry(retries=3)",
    "max_retries": "write retry=Retry(retries=3)",
    "timeout": "write timeout_ms=5_000",
    "every": "write every_ms=60_000",
    "queue": "choose the queue when scheduling the job: run_after(…, queue=…)",
    "priority": "choose the priority when scheduling the job: run_after(…, priority=…)",
}
"""Fixes for unknown options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCron:
    """A cron declared in code with `@cron`."""

    name: str
    function_name: str
    schedule: Schedule
    args: JsonObject
    tags: tuple[str, ...] = ()
    exclusions: Exclusions = NO_EXCLUSIONS


class DeclarationError(Exception):
    """A decorator is used incorrectly; raised when the module is imported."""

    def __init__(self, target: object, problem: str) -> None:
        super().__init__(f"{location_of(target)}: {problem}")


def location_of(target: object) -> str:
    """Return `orders.tasks.send (orders/tasks.py:12)`; without the file if not a function."""
    inner = _unwrapped(target)
    name = f"{inner.__module__}.{getattr(inner, '__qualname__', type(inner).__qualname__)}"
    code = getattr(inner, "__code__", None)
    return f"{name} ({file_of(inner)}:{code.co_firstlineno})" if code else name


def file_of(target: object) -> str:
    """Return the path of a function's file, relative to the current folder if inside it."""
    code = getattr(_unwrapped(target), "__code__", None)
    path = Path(code.co_filename if code else "?")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def is_decorator_target(value: object) -> bool:
    """Return whether a value is a decorated object rather than an option."""
    return inspect.isroutine(value) or isinstance(value, type | staticmethod | classmethod)


def require_async(target: object, decorator: str) -> None:
    """Raise DeclarationError unless `target` is an `async def` function, or wraps one."""
    inner = _unwrapped(target)
    if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(inner):
        return
    if inspect.isasyncgenfunction(inner):
        problem = f"{decorator} needs a function that returns, but it yields; remove `yield`"
    elif inspect.isroutine(inner):
        problem = (
            f"{decorator} needs `async def`, but it is a plain `def`; write `async def`, and run "
            "blocking code with `asyncio.to_thread`"
        )
    else:
        kind = "a class" if isinstance(inner, type) else f"a {type(inner).__name__} object"
        problem = (
            f"{decorator} needs an `async def` function, but it is {kind}; decorate a function"
        )
    raise DeclarationError(target, problem)


def require_context(target: Callable[..., Any]) -> None:
    """Raise DeclarationError unless the first parameter is the context."""
    first = next(iter(inspect.signature(target).parameters.values()), None)
    if first is None:
        raise DeclarationError(target, "it has no parameters; write `ctx: Context` as the first")
    if first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD) or not _is_context(
        first
    ):
        problem = f"its first parameter is {first.name!r}; write `ctx: Context` as the first"
        raise DeclarationError(target, problem)


def require_parameters(target: Callable[..., Any], role: str, *names: str) -> None:
    """Raise DeclarationError unless `target` accepts exactly these positional arguments."""
    require_context(target)
    signature = inspect.signature(target)
    expected = ", ".join(names)
    try:
        signature.bind(*names)
    except TypeError:
        taken = ", ".join(signature.parameters)
        problem = f"{role} is called with ({expected}), but it takes ({taken}); write ({expected})"
        raise DeclarationError(target, problem) from None


def require_options(
    target: object, decorator: str, options: Mapping[str, object], checks: Mapping[str, Check]
) -> None:
    """Raise DeclarationError for an option that does not exist or has a wrong value."""
    for name, value in options.items():
        check = checks.get(name)
        problem = check(name, value) if check else _unknown(decorator, name, checks)
        if problem:
            raise DeclarationError(target, problem)


def shown(value: object) -> str:
    """Return the `repr` of a value, truncated to MAX_SHOWN_CHARS."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def _unknown(decorator: str, name: str, checks: Mapping[str, Check]) -> str:
    near = nearest(name, checks)
    options = f"use one of {', '.join(sorted(checks))}" if checks else "remove it"
    fix = HINTS.get(name) or (f"did you mean {near}?" if near else options)
    return f"{decorator} has no option {name!r}; {fix}"


def _is_context(parameter: inspect.Parameter) -> bool:
    hint = parameter.annotation
    name = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
    return parameter.name == "ctx" or name.rpartition(".")[2] == CONTEXT


def _unwrapped(target: object) -> Any:
    return inspect.unwrap(target) if callable(target) else target


def to_camel_case(name: str) -> str:
    """Convert snake_case to camelCase."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
