"""Input validation: one Pydantic model per input type, which reports all issues at once.

Input fields declare their limits as metadata: `Annotated[str, Field(max_length=200)]`.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    Protocol,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from strawberry.scalars import JSON

from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.plain_messages import plain_message
from ostinato.jobs.records import JsonObject
from ostinato.schema.fields import unset_to_none

MAX_SHOWN_CHARS = 60
RANGE_TYPES = frozenset({"greater_than_equal", "less_than_equal"})

T = TypeVar("T")


@runtime_checkable
class HasIssues(Protocol):
    """An input with rules across several fields."""

    def issues(self) -> Iterator[Issue]:
        """Yield the cross-field issues; paths are relative to the input."""
        ...


@runtime_checkable
class HasCall(Protocol):
    """An input with a function to call, whose arguments only the function can check."""

    @property
    def call(self) -> tuple[str, JsonObject] | None:
        """Return the function's name and its arguments; None if they are no object."""
        ...


@dataclass(frozen=True, slots=True)
class InputRules:
    """The validation rules of an input type."""

    model: type[BaseModel]
    aliases: tuple[tuple[str, str], ...]
    """(Python name, GraphQL name) of each field."""
    has_cross_field_rules: bool
    """Whether the type has rules across several fields."""
    nested: Mapping[str, type]
    """The input types of the fields that are lists of inputs, by Python name."""
    ranges: Mapping[str, tuple[int, int]]
    """The least and the greatest value of numbers that have both, by GraphQL name."""

    def wire(self, given: object) -> dict[str, object]:
        """Return the fields of an input by their GraphQL names."""
        values = {alias: unset_to_none(getattr(given, name)) for name, alias in self.aliases}
        for name, kind in self.nested.items():
            each = input_rules(kind)
            values[to_camel(name)] = [each.wire(one) for one in getattr(given, name)]
        return values

    def range_at(self, path: Sequence[str | int]) -> tuple[int, int] | None:
        """Return the range of the number at a path, also in a list of inputs."""
        if len(path) == 1:
            return self.ranges.get(str(path[0]))
        inputs = {to_camel(name): kind for name, kind in self.nested.items()}
        kind = inputs.get(str(path[0])) if path else None
        return input_rules(kind).range_at(path[2:]) if kind else None


class SummarizedInput(ABC):
    """An input of which the audit log records a summary."""

    @abstractmethod
    def recorded(self) -> Mapping[str, object]:
        """Return what is recorded, by the names in the API."""


def validate_input(given: T, *path: str) -> T:
    """Return the input with decoded ids and None for omitted fields; raises BadRequest.

    `path` is the path of the argument with the input.
    """
    kind: type = type(given)
    rules = input_rules(kind)
    try:
        valid = rules.model.model_validate(rules.wire(given))
        issues: list[Issue] = []
    except ValidationError as error:
        issues = [_issue(found, rules) for found in error.errors(include_url=False)]
    issues += _new(_cross_field_issues(given, rules), issues)
    if issues:
        raise bad_request(issues, *path)
    return cast("T", _rebuilt(kind, valid))


def bad_request(issues: list[Issue], *path: str) -> BadRequest:
    """Build the error for the issues of the argument at `path`."""
    placed = [dataclasses.replace(issue, path=(*path, *issue.path)) for issue in issues]
    return BadRequest("; ".join(dict.fromkeys(issue.message for issue in placed)), placed)


@cache
def input_rules(kind: type) -> InputRules:
    """Build the rules of a Strawberry input type."""
    hints = get_type_hints(kind, include_extras=True, localns={"JSON": JSON})
    names = [field.name for field in dataclasses.fields(kind)]
    nested = {name: found for name in names if (found := _listed_input(hints[name]))}
    for name, item in nested.items():
        metadata = getattr(hints[name], "__metadata__", ())
        hints[name] = Annotated[list[input_rules(item).model], *metadata]  # type: ignore[misc]
    fields: dict[str, Any] = {name: (_checked(hints[name]), ...) for name in names}
    config = ConfigDict(alias_generator=to_camel, extra="forbid")
    return InputRules(
        model=create_model(f"{kind.__name__}Rules", __config__=config, **fields),
        aliases=tuple((name, to_camel(name)) for name in names),
        has_cross_field_rules=issubclass(kind, HasIssues),
        nested=nested,
        ranges={to_camel(name): limits for name in names if (limits := _range_of(hints[name]))},
    )


def _range_of(hint: object) -> tuple[int, int] | None:
    """Return the limits of a number, also of an optional one; None unless it has two."""
    metadata = list(_metadata_of(hint))
    limits = {
        name: getattr(each, name)
        for name in ("ge", "le")
        for each in metadata
        if hasattr(each, name)
    }
    return (limits["ge"], limits["le"]) if len(limits) == 2 else None


def _metadata_of(hint: object) -> Iterator[Any]:
    for part in get_args(hint):
        if isinstance(part, FieldInfo):
            yield from part.metadata
        else:
            yield from _metadata_of(part)


def _listed_input(hint: object) -> type | None:
    """Return the input type of a field that is a list of inputs; None for any other field."""
    outer = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    items = get_args(outer) if get_origin(outer) is list else ()
    is_input = len(items) == 1 and dataclasses.is_dataclass(items[0])
    return cast("type", items[0]) if is_input else None


def _cross_field_issues(given: object, rules: InputRules) -> Iterator[Issue]:
    if rules.has_cross_field_rules:
        yield from cast("HasIssues", given).issues()
    for name, kind in rules.nested.items():
        for position, one in enumerate(getattr(given, name)):
            for issue in _cross_field_issues(one, input_rules(kind)):
                path = (to_camel(name), position, *issue.path)
                yield dataclasses.replace(issue, path=path)


def _rebuilt(kind: type, valid: BaseModel) -> object:
    values = dict(vars(valid))
    for name, item in input_rules(kind).nested.items():
        values[name] = [_rebuilt(item, one) for one in values[name]]
    return kind(**values)


def _checked(hint: Any) -> Any:
    """Return the type to check; a nested input is checked by `issues` of the outer one."""
    is_nested = any(_is_input(each) for part in get_args(hint) for each in (part, *get_args(part)))
    return Any if is_nested or _is_input(hint) else hint


def _is_input(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) and hasattr(hint, "__strawberry_definition__")


def _issue(found: Any, rules: InputRules) -> Issue:
    path = tuple(found["loc"])
    field = ".".join(str(step) for step in path)
    given = found["input"]
    shows = (isinstance(given, str | int) and given != "") or (
        isinstance(given, float) and math.isfinite(given)
    )
    got = f", got {_shown(given)}" if shows else ""
    limits = rules.range_at(path) if found["type"] in RANGE_TYPES else None
    problem = f"must be {limits[0]:,} to {limits[1]:,}" if limits else plain_message(found)
    return Issue(path=path, message=f"{field}: {problem}{got}", code=found["type"])


def _shown(value: object) -> str:
    text = ascii(value)
    return (
        text
        if len(text) <= MAX_SHOWN_CHARS
        else f"{text[:MAX_SHOWN_CHARS]}… ({len(str(value))} long)"
    )


def _new(found: Iterator[Issue], known: list[Issue]) -> list[Issue]:
    paths = {issue.path for issue in known}
    return [issue for issue in found if issue.path not in paths]
