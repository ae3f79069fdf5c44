"""Sessions of the application: jobs are inserted in a transaction that the application commits.

The session belongs to a client of the application, of Motor or PyMongo. The driver's errors pass
unchanged: their labels tell `with_transaction` what to retry.
"""

import asyncio
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession

from ostinato.jobs.async_tools.cancellation import run_in_thread
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.mongo.client import LENIENT_CODEC, Document, Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.stored_json import escape_document

BlockingSession: TypeAlias = ClientSession
CallerSession: TypeAlias = AsyncIOMotorClientSession | AsyncClientSession | ClientSession

SESSION_TYPES: Final = (AsyncIOMotorClientSession, AsyncClientSession, ClientSession)
MAX_HELLOS: Final = 3  # between two replies, another member may become primary


def require_transaction(session: object) -> None:
    """Raise BadRequest at `session` unless it is a session in a transaction."""
    if not isinstance(session, SESSION_TYPES):
        problem = f"must be a session of Motor or PyMongo, got {type(session).__name__}"
    elif session.has_ended:
        problem = "has ended: schedule the job before"
    elif not session.in_transaction:
        problem = (
            "is not in a transaction, so the job would be scheduled at once: start a transaction, "
            "or leave out the session"
        )
    else:
        return
    raise BadRequest.at("session", message=f"session {problem}", code="invalid_session")


class Deployment:
    """The deployment of Ostinato's client, to be compared with those of the application's."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._same: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    async def require_same(self, session: CallerSession) -> None:
        """Raise BadRequest at `session` if its client is connected to another deployment.

        Asks both primaries, once for each client of the application.
        """
        client = session.client
        if self._same.get(id(client)) is client:
            return
        for _ in range(MAX_HELLOS):
            ours = await self._mongo.client.admin.command("hello")
            theirs = await _hello(session)
            if _process_of(ours) == _process_of(theirs):
                self._same[id(client)] = client
                return
        message = (
            f"session is of another MongoDB deployment ({_described(theirs)}) than Ostinato's "
            f"({_described(ours)}): one transaction cannot write to both"
        )
        raise BadRequest.at("session", message=message, code="other_deployment")


async def _hello(session: CallerSession) -> Mapping[str, Any]:
    if isinstance(session, ClientSession):
        return await asyncio.to_thread(session.client.admin.command, "hello")
    reply: Mapping[str, Any] = await session.client.admin.command("hello")
    return reply


def _process_of(hello: Mapping[str, Any]) -> object:
    """Return the id of the server's process, which no other process has."""
    return hello["topologyVersion"]["processId"]


def _described(hello: Mapping[str, Any]) -> str:
    return f"replica set {hello.get('setName')} on {hello.get('me')}"


async def find_in(
    session: CallerSession, database: str, used_keys: Document | None
) -> list[Document]:
    """Read jobs in a transaction; a blocking session is used in another thread."""
    if used_keys is None:
        return []
    if isinstance(session, ClientSession):
        return await run_in_thread(partial(find_blocking, session, database, used_keys))
    jobs: Any = _jobs(session, database)
    found: list[Document] = await jobs.find(used_keys, session=session).to_list(None)
    return found


async def insert_in(session: CallerSession, database: str, documents: Sequence[Document]) -> None:
    """Insert jobs in a transaction; a blocking session is used in another thread."""
    if not documents:
        return
    if isinstance(session, ClientSession):
        await run_in_thread(partial(insert_blocking, session, database, documents))
        return
    jobs: Any = _jobs(session, database)
    await jobs.insert_many([escape_document(each) for each in documents], session=session)


def find_blocking(
    session: ClientSession, database: str, used_keys: Document | None
) -> list[Document]:
    """Read jobs in a transaction, in the calling thread."""
    jobs: Any = _jobs(session, database)
    return list(jobs.find(used_keys, session=session)) if used_keys else []


def insert_blocking(session: ClientSession, database: str, documents: Sequence[Document]) -> None:
    """Insert jobs in a transaction, in the calling thread."""
    jobs: Any = _jobs(session, database)
    if documents:
        jobs.insert_many([escape_document(each) for each in documents], session=session)


def _jobs(session: CallerSession, database: str) -> object:
    return session.client.get_database(database, codec_options=LENIENT_CODEC)[JOBS]
