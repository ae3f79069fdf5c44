"""The functions that jobs can run: their names, kinds, arguments and policies.

A decorated coroutine is registered in the process-wide `registry` when its module is imported.
"""

import importlib
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from ostinato.jobs.arguments import Arguments
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.lanes import Lane
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.records import FunctionKind, JsonObject, Schedule
from ostinato.jobs.retry import Retry

if TYPE_CHECKING:
    from ostinato.jobs.sources import BatchSource, RequestHandler

# How a function is called once its arguments are validated: what it returns is checked at run.
AnyFunction = Callable[..., Awaitable[Any]]

LIKE: Final = 0.7  # one letter wrong of four, and more of a longer name
_NAME: Final = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A registered function. Written once, at import."""

    name: str
    kind: FunctionKind
    call: AnyFunction
    arguments: Arguments
    public: bool
    """Whether every signed-in user may schedule it."""
    roles: frozenset[str]
    """Users with one of these roles may schedule it, too."""
    retry: Retry
    timeout_ms: int | None
    """Real time that one attempt may take; None for the setting's default."""
    internal: bool
    """Whether its jobs are the system's own: hidden from lists unless asked for."""
    result_ttl_ms: int | None = None
    """How long a finished job is kept; None for the setting's default."""
    concurrency: int | None = None
    """How many of it one worker runs at once; None for as many as there is room for."""
    rate_limit: RateLimit | None = None
    """How often it may start, in all workers together; None for as often as it is asked."""

    def __post_init__(self) -> None:
        if self.concurrency is not None and self.concurrency < 1:
            raise ValueError(f"concurrency of {self.name} is {self.concurrency}; the least is 1")
        key = self.rate_limit.key if self.rate_limit else None
        if key is not None and key not in self.arguments.names:
            raise ValueError(f"the rate limit's key {key!r} is no argument of {self.name}")

    @property
    def description(self) -> str:
        return (self.call.__doc__ or "").strip()

    def lane(self, queue: str, priority: int) -> Lane:
        """Give the lane that its jobs of that priority wait in."""
        limited = self.concurrency is not None or self.rate_limit is not None
        return Lane(queue=queue, function=self.name if limited else None, priority=priority)

    def callable_by(self, roles: Iterable[str]) -> bool:
        return self.public or not self.roles.isdisjoint(roles)

    def bind(self, args: Mapping[str, object]) -> JsonObject:
        """Validate arguments and return them complete, as JSON, in camelCase.

        Raises BadRequest with an issue under ("args", …) for each mistake.
        """
        return self.arguments.bind(args)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCron:
    """A cron declared in code beside its function."""

    name: str
    function_name: str
    schedule: Schedule
    args: JsonObject


FunctionRef = str | AnyFunction
"""A function's name, or the decorated coroutine itself."""


@dataclass(slots=True)
class Registry:
    """Functions by name, and what else a module's decorators declare."""

    _functions: dict[str, Function] = field(default_factory=dict)
    static_crons: dict[str, StaticCron] = field(default_factory=dict)
    batches: dict[str, "BatchSource"] = field(default_factory=dict)
    request_handler: "RequestHandler | None" = None
    """What completes requests; None: the built-in one, which gives the data back."""

    def __iter__(self) -> Iterator[Function]:
        return iter(sorted(self._functions.values(), key=lambda function: function.name))

    def get(self, name: str) -> Function | None:
        return self._functions.get(name)

    def add(self, function: Function) -> None:
        """Register; raises ValueError for a bad or taken name."""
        if not _NAME.fullmatch(function.name):
            raise ValueError(f"{function.name!r} is no function name: use module.camelName")
        taken = self._functions.get(function.name)
        if taken and _origin(taken.call) != _origin(function.call):
            raise ValueError(f"two functions are named {function.name!r}: pass name=… to one")
        self._functions[function.name] = function

    def resolve(self, ref: FunctionRef) -> Function:
        """Find a function by its name or by itself.

        Raises BadRequest at ("functionName",) if there is none.
        """
        name = str.__str__(ref) if isinstance(ref, str) else name_of(ref)  # also of a subclass
        function = self._functions.get(name)
        if function is None:
            raise unknown_function(name)
        return function

    def declare_cron(self, cron: StaticCron) -> None:
        """Remember a cron of the code; raises ValueError if its name is taken."""
        taken = self.static_crons.get(cron.name)
        if taken and taken != cron:
            raise ValueError(f"two crons are named {cron.name!r}: pass name=… to one")
        self.static_crons[cron.name] = cron

    def add_batch(self, source: "BatchSource") -> None:
        """Register a batch source; raises ValueError if its name is taken by another user's."""
        taken = self.batches.get(source.name)
        if (
            taken
            and _origin(taken.handle) != _origin(source.handle)
            and not _built_in(taken.handle)
        ):
            raise ValueError(f"two batches are named {source.name!r}: rename one")
        self.batches[source.name] = source

    def set_request_handler(self, handler: "RequestHandler") -> None:
        """Let a coroutine complete requests; raises ValueError if there is another."""
        if self.request_handler and _origin(self.request_handler) != _origin(handler):
            raise ValueError("there are two request handlers: keep one")
        self.request_handler = handler

    def load(self, modules: Iterable[str]) -> None:
        """Import modules, so that what they decorate is registered."""
        for module in modules:
            importlib.import_module(module)


registry: Final = Registry()


def unknown_function(name: str, known: Iterable[str] = ()) -> BadRequest:
    """Build the error for a name that no function has; of `known`, it offers the most similar.

    Give only names that whoever reads the error may know.
    """
    likeness, best = max(((_likeness(name, each), each) for each in known), default=(0.0, ""))
    hint = f": did you mean {best!r}?" if likeness >= LIKE else ";"
    message = f"there is no function {name!r}{hint} `functions` lists those that exist"
    return BadRequest.at("functionName", message=message, code="unknown_function")


def _likeness(given: str, known: str) -> float:
    """Compare module with module and name with name; a module that is left out is no difference."""
    parts = zip(*(reversed(name.lower().split(".")) for name in (given, known)), strict=False)
    return min(SequenceMatcher(None, *pair).ratio() for pair in parts)


def _origin(call: AnyFunction) -> tuple[str, str]:
    return (call.__module__, call.__qualname__)


def _built_in(call: AnyFunction) -> bool:
    return call.__module__.startswith("ostinato.jobs.functions.")


def camel(name: str) -> str:
    """Turn snake_case into camelCase."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def name_of(call: AnyFunction) -> str:
    """Give the name a coroutine is, or would be, registered under."""
    given = getattr(call, "__ostinato_name__", None)
    if isinstance(given, str):
        return given
    return f"{call.__module__.rpartition('.')[2]}.{camel(call.__name__)}"
