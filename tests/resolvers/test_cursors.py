"""Cursors are the same bytes in every version: clients resume with cursors of older servers."""

import pytest
from pydantic import SecretStr

from ostinato.jobs.changes import Position
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor

POSITION = Position("8265AB00000000012B0229296E04")
CODEC = CursorCodec(Settings(jwt_secret=SecretStr("a-secret-of-more-than-32-bytes-for-tests")))
LIST = LiveCursor(position=POSITION, topic="jobs")
OLDER_CURSORS = {
    "-N8_ek-----09k7d9Ls3Lm8eQq8n7XkkA2-gB1liSLlgMF-IyhLQEDsNROELArGMPmOBY-": LIST,
    "-N8_ek-----09k7d9Ls3Lm8eQq8n7XklA2-gB1liSLlgMF-I_jFr6G8uWHOJqd2A4plZi-": LiveCursor(
        position=POSITION, topic="jobs", in_snapshot=True
    ),
    "-N8_ek-----09k7d9Ls3Lm8eQq7uPY3XA2-gBmkpA5tpQ5lS-0KKNG9X7mCVQToUVbi2FRSX": LiveCursor(
        position=POSITION, topic="job:j1", seq=3, version=5
    ),
}
"""Cursors of an older version, which also had cursors within a write."""
INSIDE_A_WRITE = "-N8_ek-----09k7d9Ls3Lm8eQq8n7XkkA27gB1kXPY3XMF-Im26vAjrmkMvsflHOQg4kH-"


@pytest.mark.parametrize(("text", "cursor"), OLDER_CURSORS.items())
def test_cursors_of_older_versions_are_unchanged(text: str, cursor: LiveCursor) -> None:
    assert CODEC.encode(cursor) == text
    assert CODEC.decode(text, cursor.topic) == cursor


def test_cursor_inside_a_write_resumes_before_that_write() -> None:
    found = CODEC.decode(INSIDE_A_WRITE, "jobs")
    assert (found.position, found.in_snapshot) == (POSITION, False)
