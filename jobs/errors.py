"""Ostinato's errors and their codes in the API, with those that other modules define.

OstinatoError
├── BadRequest            BAD_REQUEST            the input is invalid; `issues` lists its fields
│   └── WrongKind         BAD_REQUEST            the function's kind does not allow this
├── Unauthorized          UNAUTHORIZED           no token, or an expired one
├── Forbidden             FORBIDDEN              the viewer is not allowed to do this
│   └── OwnerSuspended    OWNER_SUSPENDED        no new work is accepted from this owner
├── NotFound              NOT_FOUND              unknown, or someone else's
├── Conflict              CONFLICT               already exists, or differs from the existing one
│   └── VersionConflict   CONFLICT               the object has changed, with its currentVersion
├── PreconditionFailed    PRECONDITION_FAILED    its current state does not allow this
├── PayloadTooLarge       PAYLOAD_TOO_LARGE
├── TooManyRequests       TOO_MANY_REQUESTS      with retryAfterMs
├── QuotaExceeded         QUOTA_EXCEEDED         with quota, used and limit
├── TimedOut              TIMEOUT
├── Unavailable           UNAVAILABLE            MongoDB or Redis is unreachable
├── Malformed             MALFORMED_DOCUMENT     a stored document is not in Ostinato's format
├── HistoryLost           HISTORY_LOST           the cursor is older than the retained history
├── SlowConsumer          SLOW_CONSUMER          the subscriber was too slow; resume from the cursor
├── JobFailed             JOB_FAILED             a job that the Python client waited for has failed
├── JobCanceled           JOB_CANCELED           the same, but it was canceled
└── PersistedQueryNotFound PERSISTED_QUERY_NOT_FOUND  send the query itself, too
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

MAX_ISSUES: Final = 50  # per error: a list of numbers may have 20,000 texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One validation error of an input."""

    path: tuple[str | int, ...]
    """Argument name, field names and list positions, as the client wrote them."""
    message: str
    """The problem and the allowed values."""
    code: str
    """A stable identifier of the problem, e.g. `too_small`."""

    def to_json(self) -> dict[str, object]:
        return {"path": list(self.path), "message": self.message, "code": self.code}


class OstinatoError(Exception):
    """An expected error; its message and `extensions` are safe to show to a client."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"

    @property
    def extensions(self) -> dict[str, object]:
        """Return the `extensions` of the error in a GraphQL response."""
        return {"code": self.code}


class BadRequest(OstinatoError):
    code = "BAD_REQUEST"

    def __init__(self, message: str, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message)
        self.issues = tuple(issues)

    @classmethod
    def at(cls, *path: str | int, message: str, code: str = "invalid") -> "BadRequest":
        """Build the error for one field at `path`."""
        return cls(message, [Issue(path=path, message=message, code=code)])

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "issues": [issue.to_json() for issue in self.issues]}


def require_range(name: str, value: int, low: int, high: int) -> int:
    """Return a number from `low` to `high`; raises BadRequest at `name`."""
    if issues := range_issues(name, value, low, high):
        raise BadRequest(issues[0].message, issues)
    return value


def range_issues(name: str, value: int, low: int, high: int) -> list[Issue]:
    """Return an issue unless a number is from `low` to `high`."""
    if low <= value <= high:
        return []
    message = f"{name} must be {low:,} to {high:,}, got {value}"
    return [Issue(path=(name,), message=message, code="out_of_range")]


class WrongKind(BadRequest):
    """An operation that only the other kind of function may perform."""


class Unauthorized(OstinatoError):
    code = "UNAUTHORIZED"


class Forbidden(OstinatoError):
    code = "FORBIDDEN"


class OwnerSuspended(Forbidden):
    code = "OWNER_SUSPENDED"


class NotFound(OstinatoError):
    code = "NOT_FOUND"


class Conflict(OstinatoError):
    code = "CONFLICT"


class VersionConflict(Conflict):
    """The object's version is not the one that the client expects: somebody has changed it."""

    def __init__(self, expected: int, current: int) -> None:
        super().__init__(
            f"the version is {current}, not {expected}: the object has changed; read it, then "
            "decide again"
        )
        self.current_version = current

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "currentVersion": self.current_version}


class PreconditionFailed(OstinatoError):
    code = "PRECONDITION_FAILED"


class PayloadTooLarge(OstinatoError):
    code = "PAYLOAD_TOO_LARGE"


class TooManyRequests(OstinatoError):
    code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "retryAfterMs": self.retry_after_ms}


class QuotaExceeded(OstinatoError):
    """A quota of the owner has no room; `used` counts what the owner has."""

    code = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, quota: str, used: float, limit: int) -> None:
        super().__init__(message)
        self.quota = quota
        self.used = used
        self.limit = limit

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "quota": self.quota, "used": self.used, "limit": self.limit}


class TimedOut(OstinatoError):
    code = "TIMEOUT"


class Unavailable(OstinatoError):
    code = "UNAVAILABLE"


class Malformed(OstinatoError):
    code = "MALFORMED_DOCUMENT"


class HistoryLost(OstinatoError):
    code = "HISTORY_LOST"


class SlowConsumer(OstinatoError):
    code = "SLOW_CONSUMER"
