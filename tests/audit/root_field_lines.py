"""The lines of the owner matrix: who may call a root field, and on which object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Access: TypeAlias = dict[str, str | None]
"""The error code of each caller, None if it gets data."""

OBJECT: Final[Access] = {
    "owner": None, "other": "NOT_FOUND", "admin": None, "anonymous": "UNAUTHORIZED",
}  # fmt: skip
SIGNED_IN: Final[Access] = OBJECT | {"other": None}
OWN: Final[Access] = SIGNED_IN
"""Each caller has its own objects under the given name."""
OWN_FOUND: Final[Access] = OBJECT | {"admin": "NOT_FOUND"}
ADMIN: Final[Access] = OBJECT | {"owner": "FORBIDDEN", "other": "FORBIDDEN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A root field: who may call it, on which object of ann, with which arguments."""

    access: Access
    of: str = "job"
    """The kind of ann's object; its id replaces `$id` in the arguments."""
    args: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    shows_object: bool = True
    """Whether the owner sees the object in the response of the query or subscription."""


def with_id(name: str, of: str, **fields: Any) -> Line:
    return Line(access=OBJECT, of=of, args={"input": {name: "$id"}}, fields=fields)


def change_of_cron(access: Access = OBJECT, **given: Any) -> Line:
    return Line(access=access, of="cron", args={"input": {"cronId": "$id", **given}})
