"""Makes calls of registered functions fail."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ostinato.jobs.registry import Function, FunctionRef, Registry

Error = BaseException | type[BaseException]


class Faults:
    """The failures that a test has arranged, in the order of the calls."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._original: dict[str, Function] = {}
        self._errors: dict[str, list[tuple[Error, int | None]]] = {}

    @classmethod
    @contextmanager
    def open(cls, registry: Registry) -> Iterator["Faults"]:
        """Build an empty set; restore the functions on exit."""
        faults = cls(registry)
        try:
            yield faults
        finally:
            for function in faults._original.values():
                registry.add(function)

    def add(self, ref: FunctionRef, error: Error, times: int | None) -> None:
        """Raise `error` in the next calls of a function, after the failures added before; `times`
        is None for all calls. Raises BadRequest for an unknown function."""
        function = self._registry.resolve(ref)
        self._errors.setdefault(function.name, []).append((error, times))
        if function.name not in self._original:
            self._original[function.name] = function
            self._registry.add(replace(function, call=self._failing(function)))

    def _failing(self, function: Function) -> Any:
        @functools.wraps(function.call)
        async def call(*args: Any, **kwargs: Any) -> Any:
            if (error := self._next_error(function.name)) is not None:
                raise error if isinstance(error, type) else error.with_traceback(None)
            return await function.call(*args, **kwargs)

        return call

    def _next_error(self, name: str) -> Error | None:
        pending = self._errors[name]
        if not pending:
            return None
        error, times = pending.pop(0)
        if times is None or times > 1:
            pending.insert(0, (error, None if times is None else times - 1))
        return error
