"""Revocations of tokens: who adds, lists and deletes them, and how they are stored."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo import revocations
from tests.api.conftest import Client
from tests.api.test_admin import read_all_pages

pytestmark = pytest.mark.audit("revoked tokens")

FIELDS = "{ id jti subject before revokedBy revokedAt expiresAt }"
REVOKE_TOKEN = (
    f"mutation($i: RevokeTokenInput!) {{ revokeToken(input: $i) {{ revocation {FIELDS} }} }}"
)
REVOKE_TOKENS = (
    f"mutation($i: RevokeTokensInput!) {{ revokeTokens(input: $i) {{ revocation {FIELDS} }} }}"
)
DELETE = "mutation($i: RevocationIdInput!) { deleteRevocation(input: $i) { revocation { id } } }"
LIST = f"{{ tokenRevocations {{ nodes {FIELDS} }} }}"
DAYS_31 = timedelta(days=31)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def listed(admin: Client) -> list[dict[str, str]]:
    nodes: list[dict[str, str]] = (await admin.get(LIST))["nodes"]
    return nodes


async def revoked(admin: Client, before: datetime) -> dict[str, str]:
    payload = await admin.get(REVOKE_TOKENS, i={"subject": "ann", "before": before.isoformat()})
    found: dict[str, str] = payload["revocation"]
    return found


async def test_revocation_of_one_token_lasts_as_long_as_any_token(admin: Client) -> None:
    found = (await admin.get(REVOKE_TOKEN, i={"jti": "a1"}))["revocation"]
    assert (found["id"], found["jti"], found["revokedBy"]) == ("jti:a1", "a1", "root")
    assert (found["subject"], found["before"]) == (None, None)
    assert instant(found["expiresAt"]) - instant(found["revokedAt"]) == DAYS_31
    assert await listed(admin) == [found]


async def test_tokens_of_a_user_are_revoked_until_now_by_default(admin: Client) -> None:
    found = (await admin.get(REVOKE_TOKENS, i={"subject": "ann"}))["revocation"]
    assert (found["id"], found["jti"], found["subject"]) == ("sub:ann", None, "ann")
    assert abs(instant(found["before"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert instant(found["expiresAt"]) - instant(found["before"]) == DAYS_31


async def test_later_revocation_of_a_user_only_moves_forward(admin: Client) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for hours, expected in ((2, 2), (3, 2), (1, 1)):
        found = await revoked(admin, now - timedelta(hours=hours))
        assert instant(found["before"]) == now - timedelta(hours=expected)
    assert len(await listed(admin)) == 1


async def test_instant_in_the_future_is_rejected(admin: Client) -> None:
    before = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    answer = await admin(REVOKE_TOKENS, i={"subject": "ann", "before": before})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "before"]])
    assert "at most 5 minutes in the future" in answer.message


async def test_deleted_revocation_is_gone(admin: Client) -> None:
    found = (await admin.get(REVOKE_TOKEN, i={"jti": "a1"}))["revocation"]
    deleted = await admin.get(DELETE, i={"revocationId": found["id"]})
    assert deleted == {"revocation": {"id": "jti:a1"}}
    assert await listed(admin) == []
    assert (await admin(DELETE, i={"revocationId": found["id"]})).code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("document", "given"),
    [
        (REVOKE_TOKEN, {"jti": "a1"}),
        (REVOKE_TOKENS, {"subject": "ann"}),
        (DELETE, {"revocationId": "jti:a1"}),
        (LIST, None),
    ],
)
async def test_only_admins_manage_revocations(
    ann: Client, document: str, given: dict[str, str] | None
) -> None:
    assert (await ann(document, i=given)).code == "FORBIDDEN"


async def test_number_of_revocations_is_limited(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "MAX_REVOCATIONS", 1)
    await admin.get(REVOKE_TOKEN, i={"jti": "a1"})
    answer = await admin(REVOKE_TOKEN, i={"jti": "a2"})
    assert answer.code == "PRECONDITION_FAILED"
    assert "replace the key" in answer.message


async def test_stored_revocation_moves_forward_at_the_limit(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "MAX_REVOCATIONS", 1)
    now = datetime.now(UTC).replace(microsecond=0)
    await revoked(admin, now - timedelta(hours=1))
    assert instant((await revoked(admin, now))["before"]) == now


async def test_earlier_instant_changes_neither_who_revoked_the_tokens_nor_when(
    engine: Engine,
) -> None:
    store, now = engine.revocations, datetime.now(UTC).replace(microsecond=0)
    first = await store.revoke_tokens("ann", now, "root")
    assert await store.revoke_tokens("ann", now - timedelta(hours=1), "other") == first
    assert await store.find_all() == [first]
    later = await store.revoke_tokens("ann", now + timedelta(seconds=1), "other")
    assert later.revoked_by == "other"
    assert later.revoked_at > first.revoked_at


async def test_concurrent_revocations_of_a_user_store_the_latest_instant(engine: Engine) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    instants = [now + timedelta(seconds=n) for n in range(20)]
    await asyncio.gather(
        *(engine.revocations.revoke_tokens("$ann", at, f"${at}") for at in reversed(instants))
    )
    [stored] = await engine.revocations.find_all()
    assert (stored.before, stored.revoked_by) == (instants[-1], f"${instants[-1]}")


@pytest.mark.parametrize(
    "malformed", [{}, {"jti": 1}, {"subject": "ann"}, {"jti": "a", "subject": "b"}]
)
async def test_malformed_revocation_is_omitted(
    engine: Engine, admin: Client, malformed: dict[str, object]
) -> None:
    now = datetime.now(UTC)
    await engine.mongo["revocations"].insert_one({"revokedAt": now, "purgeAt": now, **malformed})
    await engine.mongo["revocations"].insert_one({"revokedAt": "x"})
    await admin.get(REVOKE_TOKEN, i={"jti": "a1"})
    assert [found["jti"] for found in await listed(admin)] == ["a1"]


async def test_mongodb_deletes_a_revocation_when_its_tokens_have_expired(engine: Engine) -> None:
    indexes = await engine.mongo["revocations"].index_information()
    assert indexes["purge"]["key"] == [("purgeAt", 1)]
    assert indexes["purge"]["expireAfterSeconds"] == 0


async def test_revocations_are_paged_whatever_their_ids_are(admin: Client) -> None:
    ids = ["a:b", "c" * 1_000, "é", *map(str, range(8))]
    for each in ids:
        await admin.get(REVOKE_TOKEN, i={"jti": each})
    found = await read_all_pages(admin, "tokenRevocations", size=4)
    assert sorted(found) == sorted(f"jti:{each}" for each in ids)
