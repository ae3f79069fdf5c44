"""Use cases of the audit log: record the calls of mutations, and read them as an admin."""

import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from ostinato.jobs.audit import (
    INTERRUPTED,
    MAX_INPUT_FIELDS,
    MAX_LISTED,
    OK,
    AuditEntry,
    AuditFilter,
    AuditSource,
    bounded,
)
from ostinato.jobs.declarations import to_camel_case
from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.ids import new_id
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Json, JsonObject
from ostinato.resolvers.admin import require_admin
from ostinato.resolvers.context import NOUNS, ApplicationContext, RequestContext

R = TypeVar("R")

CLIENT_ADDRESS: Final[ContextVar[str]] = ContextVar("client_address", default="")
"""The address of the client whose operation runs in this task; the transports set it."""
UNRECORDED: Final = frozenset({"args", "data", "error", "items", "result"})
"""Input fields with the JSON or text of clients, which may contain secrets."""
PLAIN: Final = frozenset({str, int, float, bool})
OWN_WORK: Final = frozenset(
    {
        *("addItems", "applyCrons", "createWithTimeout", "registerCron"),
        *("scheduleJob", "scheduleJobs", "startBatch", "startRecurringTask"),
    }
)
"""Mutations that only add work of the caller: an admin's are recorded like those of others."""


@dataclass(frozen=True, slots=True)
class MutationCall:
    """A call of a mutation."""

    mutation: str
    given: object
    """Its input: a dataclass, or a mapping of names in the API to values."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Its other arguments."""


class _Caller(NamedTuple):
    """Who calls a mutation, as in AuditEntry."""

    source: AuditSource
    user: str | None
    as_admin: bool
    address: str


async def audit_log(ctx: RequestContext, which: AuditFilter, window: Window) -> Page[AuditEntry]:
    """Read a page of entries, newest first; raises Forbidden unless the viewer is an admin."""
    require_admin(ctx, "read the audit log")
    return await ctx.engine.audit.find_page(which, window)


async def run_audited(
    ctx: RequestContext, call: MutationCall, run: Callable[[], Awaitable[R]]
) -> R:
    """Run a mutation of a viewer, and record it with its outcome.

    What an admin does to objects is recorded before it runs, and does not run if that fails; the
    outcome is added later. Everything else is recorded afterwards, without a delay.
    """
    log = ctx.engine.audit
    if not log.is_on or ctx.caller is None:
        return await run()
    entry_id, caller = new_id(), _caller_of(ctx)
    is_durable = caller.as_admin and call.mutation not in OWN_WORK
    if is_durable:
        await log.begin(_entry(caller, call, entry_id))
    outcome, result = INTERRUPTED, None
    try:
        result = await run()
        outcome = OK
    except Exception as error:
        outcome = _code_of(error)
        raise
    finally:
        entry = _entry(caller, call, entry_id, outcome, result)
        (log.finish if is_durable else log.record)(entry)
    return result


def describe_input(given: object) -> JsonObject:
    """Return the ids and options of an input, in the names of the API, each of a limited size."""
    described: JsonObject = {}
    for name, value in _recorded_values(given):
        if type(value) in PLAIN:  # almost every value
            described[name] = bounded(cast("str | float", value))
        elif isinstance(value, str | int | float | datetime):
            described[name] = bounded(_plain(value))
        elif isinstance(value, list):
            described[name] = [bounded(_plain(one)) for one in value[:MAX_LISTED]]
    return described


def _recorded_values(given: object) -> Iterable[tuple[str, object]]:
    if isinstance(given, Mapping):
        return [pair for pair in given.items() if pair[0] not in UNRECORDED]
    kind: type = type(given)
    return [(api_name, getattr(given, name)) for name, api_name in _recorded_fields(kind)]


@cache
def _recorded_fields(kind: type) -> list[tuple[str, str]]:
    """Return the names of an input's fields in Python and in the API."""
    found = fields(kind)[:MAX_INPUT_FIELDS] if is_dataclass(kind) else ()
    names = [(each.name, to_camel_case(each.name)) for each in found]
    return [pair for pair in names if pair[1] not in UNRECORDED]


def _plain(value: Any) -> Json:
    if isinstance(value, StrEnum):
        return value.name
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return format_instant(value) if isinstance(value, datetime) else cast("Json", value)


def _entry(
    caller: _Caller,
    call: MutationCall,
    entry_id: str,
    outcome: str | None = None,
    result: object = None,
) -> AuditEntry:
    subject = result[0] if isinstance(result, tuple) and result else result
    object_id = getattr(subject, "id", None) if type(subject) in NOUNS else None
    return AuditEntry(
        id=entry_id,
        source=caller.source,
        user=caller.user,
        as_admin=caller.as_admin,
        mutation=call.mutation,
        input=describe_input(call.given) | describe_input(call.options),
        address=caller.address,
        object_type=None if object_id is None else type(subject).__name__,
        object_id=object_id,
        outcome=outcome,
    )


def _caller_of(ctx: RequestContext) -> _Caller:
    if isinstance(ctx, ApplicationContext):
        address = f"{socket.gethostname()}:{os.getpid()}"
        return _Caller(AuditSource.PYTHON, ctx.acting_for, ctx.acting_for is None, address)
    viewer = ctx.viewer
    return _Caller(AuditSource.API, viewer.id, viewer.is_admin, CLIENT_ADDRESS.get())


def _code_of(error: Exception) -> str:
    known = to_client_error(error)
    return known.code if isinstance(known, OstinatoError) else OstinatoError.code
