"""Reads what was committed up to a time, whichever member answers.

A member that has just become primary may for a moment not know that what the one before it has told
is committed: a majority read there shows less than was told, until it learns.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from bson import Timestamp
from motor.motor_asyncio import AsyncIOMotorCursor

from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.mongo.client import Document, Mongo

Cursor: TypeAlias = "AsyncIOMotorCursor[Any]"


async def read(
    mongo: Mongo, find: Callable[..., Cursor], behind: ClusterTime | None
) -> list[Document]:
    """Read all that `find` finds; if a time is given, as it was then or later."""
    if behind is None:
        return await find().to_list(None)
    async with mongo.sessions.opened() as session:
        session.advance_operation_time(Timestamp(*behind))
        return await mongo.sessions.answered(session, find(session=session).to_list(None))
