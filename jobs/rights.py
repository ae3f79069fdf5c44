"""The rights of owners: whether work may start on their behalf. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ostinato.jobs.records import CauseKind, PauseReason
from ostinato.jobs.registry import Function

ADMIN: Final = "admin"
"""The role that may do everything."""
CLIENT_CAUSES: Final = frozenset({CauseKind.API, CauseKind.CRON, CauseKind.RECURRING})
"""Jobs with these causes run what a client chose. All others run what a function chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What is known of a user who owns objects."""

    id: str
    roles: frozenset[str] | None = None
    """The roles in the newest token that the API has verified; None if there was none."""


def owner_from(owner_id: str, document: Mapping[str, Any] | None) -> Owner:
    """Decode an owner; a missing or malformed field is unknown."""
    roles = (document or {}).get("roles")
    if not isinstance(roles, list):
        return Owner(id=owner_id)
    return Owner(id=owner_id, roles=frozenset(role for role in roles if isinstance(role, str)))


def requires_role(function: Function) -> bool:
    return bool(function.roles) and not function.public


def has_role_for(function: Function, owner: Owner) -> bool:
    """Return whether an owner may run a function; unknown roles count as sufficient."""
    if owner.roles is None or not requires_role(function):
        return True
    return ADMIN in owner.roles or function.callable_by(owner.roles)


def find_pause_reason(function: Function | None, owner: Owner) -> PauseReason | None:
    """Return why an owner's cron or recurring task must not run a function; None if it may."""
    if function is not None and not has_role_for(function, owner):
        return PauseReason.ROLE_LOST
    return None


def describe_role_lost(function: Function, owner_id: str | None) -> str:
    roles = " or ".join(sorted(function.roles))
    return f"{function.name!r} requires the role {roles}, which {owner_id!r} has lost"
