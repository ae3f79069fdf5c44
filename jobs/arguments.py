"""Function arguments: a Pydantic model built from the function's signature."""

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.alias_generators import to_camel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from ostinato.jobs.declarations import DeclarationError, shown
from ostinato.jobs.errors import MAX_ISSUES, BadRequest, Issue
from ostinato.jobs.json_values import NotJson, TooLarge, require_bounded, to_json_value
from ostinato.jobs.nearest import nearest
from ostinato.jobs.plain_messages import plain_message
from ostinato.jobs.records import JsonObject

MAX_SUGGESTIONS: Final = 10  # comparing thousands of names would block the event loop
MAX_NAME_CHARS: Final = 64  # of a name that is compared
MAX_ARGS_BYTES: Final = 64 * 1024  # also the limit of a request's data and of an item

UNKNOWN_ARGUMENT: Final = "extra_forbidden"
"""Pydantic's type of the error."""

_CONFIG: Final = ConfigDict(
    extra="forbid", alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=False
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """A function's arguments as a Pydantic model; their JSON names are in camelCase."""

    model: type[BaseModel]

    @property
    def names(self) -> frozenset[str]:
        """Return the JSON names, in camelCase."""
        return frozenset(field.alias or name for name, field in self.model.model_fields.items())

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema; shared: treat as immutable."""
        return _json_schema(self.model)

    def bind(self, args: Mapping[str, object]) -> JsonObject:
        """Validate arguments and add defaults; raises BadRequest with issues under ("args", …)."""
        return plain_arguments(
            args, lambda: self._validated(args).model_dump(mode="json", by_alias=True)
        )

    def unpack(self, args: JsonObject) -> dict[str, object]:
        """Return the keyword arguments to call the function with."""
        return dict(vars(self._validated(args)))

    def _validated(self, args: Mapping[str, object]) -> BaseModel:
        try:
            return self.model.model_validate(args)
        except ValidationError as error:
            issues = self._unknown_arguments(args, error) or issues_of(error, "args")
            if len(issues) <= MAX_SUGGESTIONS:
                issues = [self._explained(issue) for issue in issues]
            raise BadRequest(f"invalid arguments: {issues[0].message}", issues) from None

    def _unknown_arguments(self, args: Mapping[str, object], error: ValidationError) -> list[Issue]:
        """Return the first issues if the names alone cause more than MAX_ISSUES.

        Pydantic would describe each of up to 8,000 names.
        """
        if error.error_count() <= MAX_ISSUES:
            return []
        known = {*self.names, *self.model.model_fields}
        unknown = [name for name in args if name not in known]
        if len(unknown) <= MAX_ISSUES:
            return []
        return [
            Issue(
                path=("args", name),
                message=f"args.{name}: is not a known name",
                code=UNKNOWN_ARGUMENT,
            )
            for name in unknown[:MAX_ISSUES]
        ]

    def _explained(self, issue: Issue) -> Issue:
        """Suggest the most similar argument for one that does not exist."""
        if issue.code != UNKNOWN_ARGUMENT or len(issue.path) != 2:
            return issue
        given = str(issue.path[-1])
        near = nearest(to_camel(given[:MAX_NAME_CHARS]), self.names)
        known = f"use {', '.join(sorted(self.names))}" if self.names else "the function takes none"
        hint = f": did you mean {near!r}?" if near else f"; {known}"
        message = f"args.{given[:MAX_NAME_CHARS]}: there is no argument {shown(given)}{hint}"
        return Issue(path=issue.path, message=message, code=issue.code)


def build_arguments(call: Callable[..., Awaitable[Any]]) -> Arguments:
    """Build the model from the parameters after the context.

    Raises DeclarationError for a parameter that cannot be passed by name or has no type, whose
    type JSON cannot represent, or whose default has another type.
    """
    hints = _hints_of(call)
    _, *parameters = inspect.signature(call).parameters.values()
    fields: dict[str, Any] = {}
    for parameter in parameters:
        _require_named(call, parameter, hints)
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    names = Counter(map(to_camel, fields))
    if duplicates := [name for name in fields if names[to_camel(name)] > 1]:
        problem = (
            f"the arguments {' and '.join(duplicates)} are both {to_camel(duplicates[0])} in JSON"
        )
        raise DeclarationError(call, f"{problem}; rename one")
    name = "".join(word.capitalize() for word in call.__name__.split("_"))
    try:
        arguments = Arguments(create_model(f"{name}Args", __config__=_CONFIG, **fields))
        arguments.json_schema()
    except Exception:  # Pydantic's error does not name the argument: check each
        for argument, field in fields.items():
            _require_supported(call, argument, field)
        raise
    for argument, (hint, default) in fields.items():
        if argument not in arguments.model.model_fields:  # `_name` and `model_config`
            problem = f"its argument {argument!r} has a name that Pydantic reserves"
            raise DeclarationError(call, f"{problem}; rename it")
        _require_sound_default(call, argument, hint, default)
    return arguments


@cache
def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _hints_of(call: Callable[..., Awaitable[Any]]) -> dict[str, Any]:
    try:
        return get_type_hints(call, include_extras=True)
    except Exception as error:  # annotations are user code
        fix = "import its names at run time, not only under TYPE_CHECKING"
        problem = f"an annotation cannot be evaluated ({type(error).__name__}: {error})"
        raise DeclarationError(call, f"{problem}; {fix}") from error


def _require_named(
    call: Callable[..., Awaitable[Any]], parameter: inspect.Parameter, hints: Mapping[str, object]
) -> None:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        problem = f"its parameter `{parameter}` cannot be passed by name"
        fix = "remove the `/`" if parameter.kind is parameter.POSITIONAL_ONLY else "name each one"
        raise DeclarationError(call, f"{problem}; {fix}")
    if parameter.name not in hints:
        problem = f"its argument {parameter.name!r} has no type; write `{parameter.name}: str`"
        raise DeclarationError(call, f"{problem}, for example")


def _require_supported(call: Callable[..., Awaitable[Any]], name: str, field: Any) -> None:
    try:
        create_model("Args", __config__=_CONFIG, **{name: field}).model_json_schema()
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as error:
        kind = getattr(field[0], "__name__", str(field[0]))
        problem = f"its argument {name!r} has the type {kind}, which JSON cannot represent"
        fix = "use JSON types, a dataclass, a TypedDict or a Pydantic model"
        raise DeclarationError(call, f"{problem}; {fix}") from error
    except Exception as error:
        problem = f"its argument {name!r} is rejected by Pydantic ({str(error).splitlines()[0]})"
        raise DeclarationError(call, f"{problem}; change its name or its type") from error


def _require_sound_default(
    call: Callable[..., Awaitable[Any]], name: str, hint: Any, default: Any
) -> None:
    if default is ... or isinstance(default, FieldInfo):
        return
    fields: dict[str, Any] = {name: (hint, default)}
    try:
        create_model("Args", __config__=ConfigDict(validate_default=True), **fields)()
    except ValidationError as error:
        problem = f"the default of its argument {name!r} is {shown(default)}, which its type does "
        fix = f"write `{name}: … | None`" if default is None else "change the default or the type"
        raise DeclarationError(
            call, f"{problem}not allow ({plain_message(error.errors()[0])}); {fix}"
        ) from error


def issues_of(error: ValidationError, *prefix: str | int) -> list[Issue]:
    """Convert Pydantic's first MAX_ISSUES errors to issues, with `prefix` before each path."""
    errors = error.errors(include_url=False, include_input=False)
    return [
        Issue(
            path=(*prefix, *found["loc"]),
            message=f"{'.'.join(map(str, (*prefix, *found['loc'])))}: {plain_message(found)}",
            code=found["type"],
        )
        for found in errors[:MAX_ISSUES]
    ]


def plain_arguments(
    args: Mapping[str, object], validate: Callable[[], object] | None = None
) -> JsonObject:
    """Return arguments, or what `validate` returns, as JSON; raises BadRequest at ("args", …)."""
    try:
        require_bounded(args, MAX_ARGS_BYTES)
        value = dict(args) if validate is None else validate()
        plain = cast("JsonObject", to_json_value(value, "args", limit_bytes=MAX_ARGS_BYTES))
    except NotJson as error:
        raise BadRequest.at(*error.path, message=str(error), code="not_storable") from None
    except TooLarge as error:
        message = str(error) if str(error).startswith("args") else f"args {error}"
        raise BadRequest.at("args", message=message, code=error.code) from None
    if (size := len(to_json(plain))) > MAX_ARGS_BYTES:
        message = f"args must be at most {MAX_ARGS_BYTES:,} bytes as JSON, got {size:,}"
        raise BadRequest.at("args", message=message, code="too_long")
    return plain
