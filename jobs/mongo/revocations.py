"""The stored revocations of tokens."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument

from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import REVOCATIONS
from ostinato.jobs.mongo.list_counts import list_counter
from ostinato.jobs.mongo.page_queries import KeysetQuery, Ordering
from ostinato.jobs.paging import Page, Window, build_page
from ostinato.jobs.revocations import Revocation
from ostinato.jobs.settings import Settings

MAX_REVOCATIONS: Final = 10_000  # every API process reads all of them, every few seconds


class RevocationStore:
    """The `revocations` collection; times are real, not scheduler time."""

    def __init__(self, mongo: Mongo, settings: Settings) -> None:
        self._revocations = mongo[REVOCATIONS]
        # `iat` may be in the future by the leeway, and `exp` in the past.
        lifetime_s = settings.jwt_max_lifetime_s + 2 * settings.jwt_leeway_s
        self._lifetime = timedelta(seconds=lifetime_s)

    async def revoke_token(self, token_id: str, by: str | None) -> Revocation:
        """Revoke the token with this `jti`; raises PreconditionFailed beyond MAX_REVOCATIONS."""
        now = datetime.now(UTC)
        fields = {"jti": token_id, "revokedAt": now, "revokedBy": by}
        return await self._write(f"jti:{token_id}", fields, {"purgeAt": now + self._lifetime})

    async def revoke_tokens(self, subject: str, before: datetime, by: str | None) -> Revocation:
        """Revoke a subject's tokens that were issued before an instant.

        An instant that is not later than the stored one changes neither it, nor who stored it and
        when. Raises PreconditionFailed beyond MAX_REVOCATIONS.
        """
        fields = {"subject": subject, "revokedAt": datetime.now(UTC), "revokedBy": by}
        latest = {"before": before, "purgeAt": before + self._lifetime}
        is_kept = {
            "$and": [
                {"$gte": ["$before", before]},
                {"$eq": [{"$type": "$revokedAt"}, "date"]},  # a malformed revocation is replaced
            ]
        }
        return await self._write(f"sub:{subject}", fields, latest, is_kept)

    async def delete(self, revocation_id: str) -> Revocation | None:
        """Delete a revocation and return it; None if there is none."""
        found: Document | None = await self._revocations.find_one_and_delete({"_id": revocation_id})
        return None if found is None else _decode(found)

    async def find_all(self) -> list[Revocation]:
        """Return the revocations, newest first; malformed ones are logged and omitted."""
        found = self._revocations.find(sort=[("revokedAt", -1)], limit=MAX_REVOCATIONS)
        return list(_decode_all(await found.to_list(None)))

    async def find_page(self, window: Window) -> Page[Revocation]:
        """Return a page of the revocations, newest first; malformed ones are omitted."""
        query = KeysetQuery.of({}, Ordering(field="revokedAt"), window)
        found = self._revocations.find(query.filter, sort=query.sort, limit=query.limit)
        page = build_page(await found.to_list(None), window)
        decoded = _decode_all(page.items)
        return Page(
            items=decoded,
            has_next=page.has_next,
            has_previous=page.has_previous,
            count=list_counter(self._revocations, {}),
        )

    async def _write(
        self,
        identifier: str,
        fields: dict[str, Any],
        latest: dict[str, datetime],
        is_kept: Mapping[str, Any] | bool = False,
    ) -> Revocation:
        """Store `fields`, unless `is_kept` is true of the stored document, and the later times."""
        has_room = await self._revocations.estimated_document_count() < MAX_REVOCATIONS
        update: dict[str, Any] = {
            name: {"$cond": [is_kept, f"${name}", {"$literal": value}]}
            for name, value in fields.items()
        }
        update |= {name: {"$max": [f"${name}", at]} for name, at in latest.items()}
        written: Document | None = await self._revocations.find_one_and_update(
            {"_id": identifier},
            [{"$set": update}],
            upsert=has_room,
            return_document=ReturnDocument.AFTER,
        )
        if written is None:
            raise PreconditionFailed(
                f"{MAX_REVOCATIONS:,} revocations are stored, the maximum: delete some, or replace "
                "the key that signs the tokens, which revokes all of them"
            )
        return _decode(written)


async def revoke_once(settings: Settings, subject: str | None, token_id: str | None) -> Revocation:
    """Revoke the tokens of a subject until now, or one token, with a connection of its own."""
    mongo = Mongo.connect(settings, "ostinato-revoke")
    store = RevocationStore(mongo, settings)
    try:
        if subject is not None:
            return await store.revoke_tokens(subject, datetime.now(UTC), None)
        return await store.revoke_token(token_id or "", None)
    finally:
        await mongo.sessions.close()
        mongo.close()


def _decode_all(documents: Iterable[Mapping[str, Any]]) -> tuple[Revocation, ...]:
    decoded = map(_decode_or_report, documents)
    return tuple(each for each in decoded if each is not None)


def _decode_or_report(document: Mapping[str, Any]) -> Revocation | None:
    try:
        return _decode(document)
    except TypeError as error:
        report(REVOCATIONS, str(document["_id"]), error)
        return None


def _decode(document: Mapping[str, Any]) -> Revocation:
    """Decode a document; raises TypeError if it is malformed."""
    token_id, subject = document.get("jti"), document.get("subject")
    before, revoked_at, purge_at = (document.get(n) for n in ("before", "revokedAt", "purgeAt"))
    is_one_token = isinstance(token_id, str) and subject is None
    is_subject = isinstance(subject, str) and isinstance(before, datetime) and token_id is None
    if not isinstance(revoked_at, datetime) or not isinstance(purge_at, datetime):
        raise TypeError("it must have the times `revokedAt` and `purgeAt`")
    if not (is_one_token or is_subject):
        raise TypeError("it must have either `jti`, or `subject` and `before`")
    return Revocation(
        id=str(document["_id"]),
        token_id=token_id,
        subject=subject,
        before=before if is_subject else None,
        revoked_at=revoked_at,
        revoked_by=document.get("revokedBy"),
        expires_at=purge_at,
    )
