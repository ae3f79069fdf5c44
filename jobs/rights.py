"""The rights of owners: whether work may start on their behalf. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from ostinato.jobs.errors import OwnerSuspended, PreconditionFailed
from ostinato.jobs.records import CauseKind, PauseReason
from ostinato.jobs.registry import Function

T = TypeVar("T")

MAX_OWNER_CHARS: Final = 255  # OpenID Connect Core, 2: `sub` is at most 255 characters
ADMIN: Final = "admin"
"""The role that may do everything."""
MAX_SUSPENDED: Final = 10_000  # owners; every API process reads all of them, every second
SUSPENSION_TTL_S: Final = 1.0  # how long a process does not notice a suspension of another one
CLIENT_CAUSES: Final = frozenset({CauseKind.API, CauseKind.CRON, CauseKind.RECURRING})
"""Jobs with these causes run what a client chose. All others run what a function chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What is known of a user who owns objects."""

    id: str
    roles: frozenset[str] | None = None
    """The roles in the newest token that the API has verified; None if there was none."""
    suspended_at: datetime | None = None
    """Set while the owner is suspended; so are the next two fields."""
    suspended_by: str | None = None
    """The admin who suspended the owner."""
    suspension_reason: str | None = None
    """The reason, shown to the owner."""
    purge_requested_at: datetime | None = None
    purged_at: datetime | None = None
    """Set when everything that the owner had is deleted."""
    version: int = 0
    """Incremented by each suspension, resumption and purge."""

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def is_being_purged(self) -> bool:
        return self.purge_requested_at is not None and self.purged_at is None


def owner_from(owner_id: str, document: Mapping[str, Any] | None) -> Owner:
    """Decode an owner; a missing or malformed field is unknown."""
    get = (document or {}).get
    suspended_at = _typed(get("suspendedAt"), datetime)
    roles = _typed(get("roles"), list)
    return Owner(
        id=owner_id,
        roles=None if roles is None else frozenset(one for one in roles if isinstance(one, str)),
        suspended_at=suspended_at,
        suspended_by=_typed(get("suspendedBy"), str) if suspended_at else None,
        suspension_reason=_typed(get("suspensionReason"), str) if suspended_at else None,
        purge_requested_at=_typed(get("purgeRequestedAt"), datetime),
        purged_at=_typed(get("purgedAt"), datetime),
        version=_typed(get("version"), int) or 0,
    )


def _typed(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None


def requires_role(function: Function) -> bool:
    return bool(function.roles) and not function.public


def has_role_for(function: Function, owner: Owner) -> bool:
    """Return whether an owner may run a function; unknown roles count as sufficient."""
    if owner.roles is None or not requires_role(function):
        return True
    return ADMIN in owner.roles or function.callable_by(owner.roles)


def find_pause_reason(function: Function | None, owner: Owner) -> PauseReason | None:
    """Return why an owner's cron or recurring task must not run a function; None if it may."""
    if owner.is_suspended:
        return PauseReason.OWNER_SUSPENDED
    if function is not None and not has_role_for(function, owner):
        return PauseReason.ROLE_LOST
    return None


def owner_suspended(owner: Owner) -> OwnerSuspended:
    """Build the error for new work of a suspended owner."""
    reason = f" ({owner.suspension_reason})" if owner.suspension_reason else ""
    return OwnerSuspended(
        f"the user {owner.id!r} is suspended{reason}: no new work is accepted until an admin "
        "resumes the user (resumeOwner)"
    )


def role_lost(function: Function, owner_id: str | None) -> PreconditionFailed:
    """Build the error for work that its owner, who has lost the function's role, may not start."""
    lost = describe_role_lost(function, owner_id)
    return PreconditionFailed(f"{lost}: first sign in as that user with the role")


def describe_role_lost(function: Function, owner_id: str | None) -> str:
    roles = " or ".join(sorted(function.roles))
    return f"{function.name!r} requires the role {roles}, which {owner_id!r} has lost"
