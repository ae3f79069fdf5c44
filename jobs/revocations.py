"""Revocations: tokens that are no longer accepted although they have not expired. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The revocation of one token, by `token_id`, or of a subject's tokens until `before`."""

    id: str
    token_id: str | None = None
    """The token's `jti`; None if `subject` is set."""
    subject: str | None = None
    """The tokens' `sub`; None if `token_id` is set."""
    before: datetime | None = None
    """Set with `subject`: tokens whose `iat` is earlier are revoked. Only moves forward."""
    revoked_at: datetime
    """When it was last written, in real time."""
    revoked_by: str | None
    """The admin who wrote it; None for the command line."""
    expires_at: datetime
    """When each token that it covers has expired. MongoDB deletes it then."""


class RevokedTokens:
    """The revoked tokens of some revocations; immutable."""

    def __init__(self, revocations: Iterable[Revocation] = ()) -> None:
        found = list(revocations)
        self._token_ids = frozenset(each.token_id for each in found if each.token_id)
        self._before = {each.subject: each.before for each in found if each.subject and each.before}

    def __len__(self) -> int:
        return len(self._token_ids) + len(self._before)

    def contains(self, subject: str, token_id: str | None, issued_at: datetime) -> bool:
        """Return whether a token is revoked."""
        before = self._before.get(subject)
        return token_id in self._token_ids or (before is not None and issued_at < before)
