"""The entries of the audit log: who called which mutation, and its outcome. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ostinato.jobs.ids import created_at
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.records import Json, JsonObject

OK: Final = "OK"
INTERRUPTED: Final = "INTERRUPTED"
"""It timed out, or its client disconnected: it may have been applied."""
MAX_TEXT_CHARS: Final = 200  # of one text of an input
MAX_INPUT_FIELDS: Final = 32
MAX_LISTED: Final = 20  # of a list of an input
MAX_NUMBER: Final = 2**53


class AuditSource(StrEnum):
    """How a mutation was called."""

    API = "api"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One call of a mutation. Written once; the outcome of an admin's entry is added later."""

    id: str
    source: AuditSource = AuditSource.API
    user: str | None
    """The user who called it, or for whom an application did; None for an application itself."""
    as_admin: bool
    """Whether the user had the role `admin`, or an application acted for all users."""
    mutation: str
    input: JsonObject
    """The ids and options of its input, without arguments and data."""
    address: str
    """The client's address; empty if it is unknown. Of an application, its host and process id."""
    object_type: str | None = None
    object_id: str | None = None
    """The object that it created or changed."""
    outcome: str | None = None
    """OK, INTERRUPTED, or the code of its error; None if the process ended during the call."""

    @property
    def at(self) -> datetime:
        """When it was called, by the clock of the API's host."""
        return created_at(self.id)

    def document(self) -> dict[str, Any]:
        """Build the document to store."""
        return {
            "_id": self.id,
            "source": self.source.value,
            "user": self.user,
            "asAdmin": self.as_admin,
            "mutation": self.mutation,
            "input": self.input,
            "address": self.address,
            "outcome": self.outcome,
            **self.object_fields(),
        }

    def object_fields(self) -> dict[str, str]:
        if self.object_type is None or self.object_id is None:
            return {}
        return {"objectType": self.object_type, "objectId": self.object_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """A filter on entries; None matches any value."""

    user: str | None = None
    mutation: str | None = None
    from_at: datetime | None = None
    """Inclusive."""
    to_at: datetime | None = None
    """Exclusive."""


def audit_entry_from(document: Mapping[str, Any]) -> AuditEntry:
    """Decode an entry; missing fields are empty."""
    get = document.get
    return AuditEntry(
        id=document["_id"],
        source=AuditSource.PYTHON if get("source") == AuditSource.PYTHON else AuditSource.API,
        user=None if (user := get("user")) is None else str(user),
        as_admin=bool(get("asAdmin")),
        mutation=str(get("mutation", "")),
        input=dict(get("input") or {}),
        address=str(get("address", "")),
        object_type=get("objectType"),
        object_id=get("objectId"),
        outcome=get("outcome"),
    )


def bounded(value: Json) -> Json:
    """Return a value of an input for an entry: a short text, a number, true, false or null."""
    if type(value) is str and len(value) <= MAX_TEXT_CHARS and value.isascii():
        return value  # almost every text
    match value:
        case bool() | None | float():
            return value
        case int():
            return value if -MAX_NUMBER <= value <= MAX_NUMBER else bounded(str(value))
        case str():
            text = replace_surrogates(value[: MAX_TEXT_CHARS + 1])
            return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}…"
        case _:
            return "…"
