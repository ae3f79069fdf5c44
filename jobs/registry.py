"""The registry of functions: their names, kinds, arguments and policies.

A decorated coroutine is registered in the process-wide `registry` when its module is imported.
"""

import importlib
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final

from ostinato.jobs.arguments import Arguments, plain_arguments
from ostinato.jobs.declarations import (
    DeclarationError,
    StaticCron,
    file_of,
    location_of,
    shown,
    to_camel_case,
)
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.lanes import UNRESOLVED, Lane
from ostinato.jobs.nearest import candidates
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.records import FunctionKind, JsonObject
from ostinato.jobs.retry import NO_RETRY, Retry
from ostinato.jobs.settings import Settings

# Called with validated arguments; its result is validated after each run.
AnyFunction = Callable[..., Awaitable[Any]]

MIN_SIMILARITY: Final = 0.7  # tolerates one wrong letter in four
PREFIX: Final = "__ostinato_module__"
"""The module variable that overrides the module's name in function names."""

_PREFIX_FORM: Final = re.compile(r"[A-Za-z_]\w*")
NAME_FORM: Final = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A registered function. Written once, at import."""

    name: str
    kind: FunctionKind
    call: AnyFunction
    arguments: Arguments
    public: bool
    """Whether every signed-in user can schedule it."""
    roles: frozenset[str]
    """Users with one of these roles can schedule it."""
    retry: Retry
    timeout_ms: int | None
    """Time limit of one attempt, in real time; None for the setting's default."""
    internal: bool
    """Whether its jobs belong to the system: hidden from lists unless requested."""
    result_ttl_ms: int | None = None
    """How long a finished job is kept; None for the setting's default."""
    concurrency: int | None = None
    """Maximum number of its jobs that one worker runs at once; None for no limit."""
    rate_limit: RateLimit | None = None
    """Maximum rate of starts across all workers; None for no limit."""
    on_failure: AnyFunction | None = None
    """Called after one of its jobs has failed: `(ctx, failed)`."""
    has_default_name: bool = False
    """Whether the name was derived from the names of its module and coroutine."""

    @property
    def description(self) -> str:
        return (self.call.__doc__ or "").strip()

    @property
    def is_chain(self) -> bool:
        """Return whether it is one of Ostinato's own: its jobs continue crons, tasks, batches and
        requests, whose quotas limit them. They are never rejected."""
        return self.internal and _built_in(self.call)

    def lane(self, queue: str, priority: int) -> Lane:
        """Return the lane of its pending jobs with this priority."""
        limited = self.concurrency is not None or self.rate_limit is not None
        return Lane(queue=queue, function=self.name if limited else None, priority=priority)

    def callable_by(self, roles: Iterable[str]) -> bool:
        return self.public or not self.roles.isdisjoint(roles)

    def bind(self, args: Mapping[str, object]) -> JsonObject:
        """Validate arguments and return them with defaults, as JSON, in camelCase.

        Raises BadRequest with an issue under ("args", …) for each mistake.
        """
        return self.arguments.bind(args)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFunction:
    """A function that this process has not imported: only its name is known.

    A worker that knows the function adds its retry policy and its limits to the jobs before they
    start.
    """

    name: str
    retry: Retry = NO_RETRY
    internal: bool = False
    is_chain: bool = False

    def lane(self, queue: str, priority: int) -> Lane:
        """Return the lane of its pending jobs until a worker has resolved the function."""
        return Lane(queue=queue, function=UNRESOLVED, priority=priority)

    def bind(self, args: Mapping[str, object]) -> JsonObject:
        """Return the arguments as JSON, unchanged; raises BadRequest if they are not storable."""
        return plain_arguments(args)


AnyTarget = Function | NamedFunction
"""What a new job runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSource:
    """The query and the page handler of a batch."""

    name: str
    pages: AnyFunction
    """`(ctx, cursor, size)` returns a BatchPage."""
    handle: AnyFunction
    """`(ctx, items)` runs in the transaction that advances the cursor: exactly once per page."""
    find_item: AnyFunction
    """`(ctx, item)` returns the document of an ItemRef; None if it no longer matches."""
    count: AnyFunction
    """Counts the remaining items; returns None if unknown."""
    require_owners: AnyFunction
    """Called if there are no items; raises PreconditionFailed if there can never be any."""
    public: bool
    roles: frozenset[str]

    def callable_by(self, roles: Iterable[str]) -> bool:
        return self.public or not self.roles.isdisjoint(roles)


FunctionRef = str | AnyFunction
"""A function's name, or the decorated coroutine itself."""


@dataclass(slots=True)
class Registry:
    """Everything that decorators declare: functions, crons, batches, the request handler."""

    _functions: dict[str, Function] = field(default_factory=dict)
    static_crons: dict[str, StaticCron] = field(default_factory=dict)
    batches: dict[str, BatchSource] = field(default_factory=dict)
    request_handler: AnyFunction | None = None
    """Processes requests; None for the built-in handler, which returns their data."""
    failure_hooks: dict[str, AnyFunction] = field(default_factory=dict)
    """The hooks for failed jobs of all functions, by module and name."""
    empty_modules: set[str] = field(default_factory=set)
    """Modules that `load` imported and that declared nothing."""

    def __iter__(self) -> Iterator[Function]:
        return iter(sorted(self._functions.values(), key=lambda function: function.name))

    def get(self, name: str) -> Function | None:
        return self._functions.get(name)

    def add(self, function: Function) -> None:
        """Register a function; raises DeclarationError for an invalid or taken name."""
        name, call = function.name, function.call
        if not NAME_FORM.fullmatch(name):
            fix = "pass name=… of the form 'module.camelName'"
            raise DeclarationError(call, f"{name!r} is not a valid function name; {fix}")
        taken = self._functions.get(name)
        if taken and (_origin(taken.call) != _origin(call) or _is_defined_twice(taken.call, call)):
            raise DeclarationError(call, _collision(name, taken.call, call))
        self._functions[name] = function

    def resolve(self, ref: FunctionRef) -> Function:
        """Find a function by its name or its coroutine.

        Raises BadRequest at ("functionName",) for an unknown function.
        """
        # `str.__str__` also converts a subclass to a plain string.
        name = str.__str__(ref) if isinstance(ref, str) else function_name(ref)
        function = self._functions.get(name)
        if function is None:
            raise unknown_function(name)
        return function

    def target(self, name: str) -> AnyTarget:
        """Return the function with this name, or its name alone if it is not registered.

        Raises BadRequest at ("functionName",) if no function can have it, and for Ostinato's own.
        """
        function = self._functions.get(name) or NamedFunction(name=name)
        if len(name) > MAX_NAME_CHARS or not NAME_FORM.fullmatch(name):
            *_, module, call = ("module", *name[:MAX_NAME_CHARS].split("."))
            form = f"{module}.{to_camel_case(call)}"
            is_valid = len(name) <= MAX_NAME_CHARS and NAME_FORM.fullmatch(form)
            form = form if is_valid else "module.camelName"
            message = f"{name!r:.200} is not the name of a function: write {form!r}"
            raise BadRequest.at("functionName", message=message, code="invalid_name")
        if function.is_chain:  # no quota would count its jobs
            message = f"{name} is a part of Ostinato: schedule a function of your own"
            raise BadRequest.at("functionName", message=message)
        return function

    def declare_cron(self, cron: StaticCron, call: AnyFunction) -> None:
        """Register a cron of `call`; raises DeclarationError if its name is taken."""
        taken = self.static_crons.get(cron.name)
        if taken and taken != cron:
            other = f"the name {cron.name!r} is taken by the cron of {taken.function_name}"
            problem = f"@cron: {other}; pass name=… to one of the two"
            raise DeclarationError(call, problem)
        self.static_crons[cron.name] = cron

    def add_batch(self, source: BatchSource) -> None:
        """Register a batch source; raises DeclarationError if another module took its name."""
        name, taken = source.name, self.batches.get(source.name)
        if (
            taken
            and _origin(taken.handle) != _origin(source.handle)
            and not _built_in(taken.handle)
        ):
            other = location_of(taken.handle)
            problem = f"the batch name {name!r} is taken by {other}; rename one of the two"
            raise DeclarationError(source.handle, problem)
        self.batches[name] = source

    def set_request_handler(self, handler: AnyFunction) -> None:
        """Register the request handler; raises DeclarationError if there is another."""
        taken = self.request_handler
        if taken and _origin(taken) != _origin(handler):
            problem = f"{location_of(taken)} is already a @request_handler; keep one of the two"
            raise DeclarationError(handler, problem)
        self.request_handler = handler

    def load(self, modules: Iterable[str]) -> None:
        """Import modules; their decorators register their functions."""
        for module in modules:
            is_new, before = module not in sys.modules, self._size
            importlib.import_module(module)
            if is_new and self._size == before:
                self.empty_modules.add(module)

    @property
    def _size(self) -> int:
        handlers = len(self.failure_hooks) + (self.request_handler is not None)
        return len(self._functions) + len(self.batches) + handlers


registry: Final = Registry()


def retention_ms_of(function: Function | None, settings: Settings) -> int:
    """Return how long a job is kept after it has ended; `function` is None if it is unknown."""
    if function is None or function.result_ttl_ms is None:
        return settings.purge_after_ms
    return function.result_ttl_ms


def time_limit_ms(function: Function, settings: Settings) -> int:
    """Return the time limit of one attempt: the function's own, or the setting for its kind."""
    if function.timeout_ms is not None:
        return function.timeout_ms
    if function.kind is FunctionKind.MUTATION:
        return settings.mutation_timeout_ms
    return settings.action_timeout_ms


def unknown_function(name: str, known: Iterable[str] = ()) -> BadRequest:
    """Build the error for an unknown name; it suggests the most similar name of `known`.

    `known` must contain only names that the caller may see.
    """
    similarity, best = max(
        ((_similarity(name, each), each) for each in candidates(name, known)), default=(0.0, "")
    )
    hint = f": did you mean {best!r}?" if similarity >= MIN_SIMILARITY else ";"
    message = f"there is no function {name!r}{hint} `functions` lists those that exist"
    return BadRequest.at("functionName", message=message, code="unknown_function")


def _similarity(given: str, known: str) -> float:
    """Compare module with module and name with name; ignore a missing module."""
    parts = zip(*(reversed(name.lower().split(".")) for name in (given, known)), strict=False)
    return min(SequenceMatcher(None, *pair).ratio() for pair in parts)


def _origin(call: AnyFunction) -> tuple[str, str]:
    return (call.__module__, call.__qualname__)


def _is_defined_twice(taken: AnyFunction, call: AnyFunction) -> bool:
    """Return whether one import defines both, as opposed to a reload of the module."""
    scope = getattr(call, "__globals__", None)
    spec = scope.get("__spec__") if scope else None
    return getattr(spec, "_initializing", False) and getattr(taken, "__globals__", None) is scope


def _built_in(call: AnyFunction) -> bool:
    return call.__module__.startswith("ostinato.jobs.functions.")


def function_name(call: AnyFunction) -> str:
    """Return the registered name of a coroutine, or its default name."""
    return given_name(call) or default_name(call)


def name_of(ref: FunctionRef) -> str:
    """Return the name of a function that is given by name or as the coroutine."""
    return ref if isinstance(ref, str) else function_name(ref)


def given_name(call: object) -> str | None:
    """Return the name registered by a decorator; None if there is none."""
    given = getattr(call, "__ostinato_name__", None)
    return given if isinstance(given, str) else None


def default_name(call: AnyFunction) -> str:
    """Build `module.camelName`: the last part of the module's name or its `__ostinato_module__`.

    Raises DeclarationError if that variable is not a valid name.
    """
    module = sys.modules.get(call.__module__)
    prefix: object = getattr(module, PREFIX, None)
    if prefix is None:
        prefix = call.__module__.rpartition(".")[2]
    elif not isinstance(prefix, str) or not _PREFIX_FORM.fullmatch(prefix):
        problem = f"{PREFIX} must be a name such as 'orders', got {shown(prefix)}"
        raise DeclarationError(call, f"{problem}; use letters, digits and _")
    return f"{prefix}.{to_camel_case(call.__name__)}"


def _collision(name: str, taken: AnyFunction, call: AnyFunction) -> str:
    if file_of(taken) == file_of(call):
        return f"the name {name!r} is taken by {location_of(taken)}; pass name=… to one of the two"
    package = call.__module__.rpartition(".")[0].rpartition(".")[2]
    prefix = package if _PREFIX_FORM.fullmatch(package) else "orders"
    return (
        f"the name {name!r} is taken by {location_of(taken)}; write {PREFIX} = {prefix!r} at the "
        f"top of {file_of(call)}, or pass name=… to one of the two"
    )
