"""The arguments of a function: a Pydantic model made from its signature."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.records import JsonObject
from ostinato.jobs.values import MAX_DEPTH, NotJson, TooLarge, storable
from ostinato.jobs.wording import wording

MAX_ARGS_BYTES: Final = 64 * 1024  # of a request's data and of an item, too
CONTAINERS: Final = (dict, list, tuple)

_CONFIG: Final = ConfigDict(
    extra="forbid", alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=False
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """A function's arguments as a model; wire names are camelCase."""

    model: type[BaseModel]

    @property
    def names(self) -> frozenset[str]:
        """Give the names as clients write them, in camelCase."""
        return frozenset(field.alias or name for name, field in self.model.model_fields.items())

    def json_schema(self) -> dict[str, Any]:
        return self.model.model_json_schema(by_alias=True)

    def bind(self, args: Mapping[str, object]) -> JsonObject:
        """Validate and complete `args`; raises BadRequest with issues under ("args", …)."""
        _check_bounds(args)
        bound = _plain(self._validated(args).model_dump(mode="json", by_alias=True))
        _check_size(bound)
        return bound

    def unpack(self, args: JsonObject) -> dict[str, object]:
        """Give the keyword arguments to call the function with."""
        return dict(vars(self._validated(args)))

    def _validated(self, args: Mapping[str, object]) -> BaseModel:
        try:
            return self.model.model_validate(args)
        except ValidationError as error:
            issues = issues_of(error, "args")
            raise BadRequest(f"the arguments do not fit: {issues[0].message}", issues) from None


def arguments_of(call: Callable[..., Awaitable[Any]]) -> Arguments:
    """Build the model from the parameters after the context.

    Raises TypeError for a parameter without a type, or one that cannot be passed by name.
    """
    hints = get_type_hints(call, include_extras=True)
    _, *parameters = inspect.signature(call).parameters.values()
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{call.__qualname__}: {parameter} cannot be passed by name")
        if parameter.name not in hints:
            raise TypeError(f"{call.__qualname__}: parameter {parameter.name!r} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    name = "".join(word.capitalize() for word in call.__name__.split("_"))
    return Arguments(create_model(f"{name}Args", __config__=_CONFIG, **fields))


def issues_of(error: ValidationError, *prefix: str | int) -> list[Issue]:
    """Translate Pydantic's errors into issues, with `prefix` before each path."""
    return [
        Issue(
            path=(*prefix, *found["loc"]),
            message=f"{'.'.join(map(str, (*prefix, *found['loc'])))}: {wording(found)}",
            code=found["type"],
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _check_bounds(args: Mapping[str, object]) -> None:
    """Refuse what contains itself or is endlessly wide before Pydantic walks it."""
    containers: list[object] = [args]
    count = 0
    for _ in range(MAX_DEPTH):
        held = chain.from_iterable(map(_values_of, containers))
        values = list(islice(held, MAX_ARGS_BYTES + 1))
        count += len(values)
        if count > MAX_ARGS_BYTES:
            raise _too_long(f"more than {MAX_ARGS_BYTES:,}")
        containers = [value for value in values if isinstance(value, CONTAINERS)]
        if not containers:
            return
    message = f"arguments nest deeper than {MAX_DEPTH} levels, or contain themselves"
    raise BadRequest.at("args", message=message, code="too_deep")


def _values_of(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return dict.values(container)
    if isinstance(container, list):
        return list.__iter__(container)
    return tuple.__iter__(container) if isinstance(container, tuple) else ()


def _plain(args: JsonObject) -> JsonObject:
    try:
        return cast("JsonObject", storable(args, "args", limit_bytes=MAX_ARGS_BYTES))
    except NotJson as error:
        raise BadRequest.at(*error.path, message=str(error), code="not_storable") from None
    except TooLarge as error:
        if error.code == "too_long":
            raise _too_long(f"more than {MAX_ARGS_BYTES:,}") from None
        raise BadRequest.at("args", message=str(error), code=error.code) from None


def _check_size(args: JsonObject) -> None:
    size = len(to_json(args))
    if size > MAX_ARGS_BYTES:
        raise _too_long(f"{size:,}")


def _too_long(size: str) -> BadRequest:
    message = f"arguments take {size} bytes as JSON; allowed are {MAX_ARGS_BYTES:,}"
    return BadRequest.at("args", message=message, code="too_long")
