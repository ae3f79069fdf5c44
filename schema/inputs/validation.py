"""Input validation: one Pydantic model per input type, which reports all issues at once.

Input fields declare their limits as metadata: `Annotated[str, Field(max_length=200)]`.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar, cast, get_type_hints, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.alias_generators import to_camel
from strawberry.scalars import JSON

from ostinato.jobs.arguments import plain_message
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.schema.fields import unset_to_none

MAX_SHOWN_CHARS = 60

T = TypeVar("T")


@runtime_checkable
class HasIssues(Protocol):
    """An input with rules across several fields."""

    def issues(self) -> Iterator[Issue]:
        """Yield the cross-field issues; paths are relative to the input."""
        ...


@dataclass(frozen=True, slots=True)
class InputRules:
    """The validation rules of an input type."""

    model: type[BaseModel]
    aliases: tuple[tuple[str, str], ...]
    """(Python name, GraphQL name) of each field."""
    has_cross_field_rules: bool
    """Whether the type has rules across several fields."""


def validate_input(given: T, *path: str) -> T:
    """Return the input with decoded ids and None for omitted fields; raises BadRequest.

    `path` is the path of the argument with the input.
    """
    kind: type = type(given)
    rules = input_rules(kind)
    wire = {alias: unset_to_none(getattr(given, name)) for name, alias in rules.aliases}
    try:
        values = vars(rules.model.model_validate(wire))
        issues: list[Issue] = []
    except ValidationError as error:
        issues = [_issue(found) for found in error.errors(include_url=False)]
    if rules.has_cross_field_rules:
        issues += _new(cast("HasIssues", given).issues(), issues)
    if issues:
        raise bad_request(issues, *path)
    return cast("T", kind(**values))


def bad_request(issues: list[Issue], *path: str) -> BadRequest:
    """Build the error for the issues of the argument at `path`."""
    placed = [dataclasses.replace(issue, path=(*path, *issue.path)) for issue in issues]
    return BadRequest("; ".join(dict.fromkeys(issue.message for issue in placed)), placed)


@cache
def input_rules(kind: type) -> InputRules:
    """Build the rules of a Strawberry input type."""
    hints = get_type_hints(kind, include_extras=True, localns={"JSON": JSON})
    names = [field.name for field in dataclasses.fields(kind)]
    fields: dict[str, Any] = {name: (hints[name], ...) for name in names}
    config = ConfigDict(alias_generator=to_camel, extra="forbid")
    return InputRules(
        model=create_model(f"{kind.__name__}Rules", __config__=config, **fields),
        aliases=tuple((name, to_camel(name)) for name in names),
        has_cross_field_rules=issubclass(kind, HasIssues),
    )


def _issue(found: Any) -> Issue:
    path = tuple(found["loc"])
    field = ".".join(str(step) for step in path)
    given = found["input"]
    shows = isinstance(given, str | int) or (isinstance(given, float) and math.isfinite(given))
    got = f", got {_shown(given)}" if shows else ""
    message = f"{field}: {plain_message(found)}{got}"
    return Issue(path=path, message=message, code=found["type"])


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
