"""Sets of crons that a deployment declares: creates, changes and deletes what differs.

The function runs in the caller's transaction, on behalf of the owner of the set.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ostinato.jobs.async_tools.cpu_thread import collect_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.documents import cron_from
from ostinato.jobs.errors import BadRequest, Conflict, Issue, Malformed, OstinatoError
from ostinato.jobs.functions.cron_changes import redefine
from ostinato.jobs.functions.crons import delete_cron, register_cron
from ostinato.jobs.functions.new_cron import NewCron, validate_cron, with_default_name
from ostinato.jobs.malformed import read_as
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.records import Cron

MAX_SET: Final = 100  # crons, in one transaction
RESERVED: Final = "@"  # the first character of names that Ostinato gives


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedCrons:
    """What became of a set."""

    created: list[Cron] = field(default_factory=list)
    updated: list[Cron] = field(default_factory=list)
    unchanged: list[Cron] = field(default_factory=list)
    deleted_ids: list[str] = field(default_factory=list)


async def apply_crons(ctx: Context, managed_by: str, declared: Sequence[NewCron]) -> AppliedCrons:
    """Make the owner's crons of a set equal to the declared ones, by name.

    Creates and changes crons, and deletes those of the set that are not declared; a paused cron
    stays paused. Equal calls change nothing. Raises BadRequest with an issue for each wrong field,
    Conflict for the name of a cron outside the set, QuotaExceeded, and what `update_cron` raises.
    """
    declared = [
        replace(new, args=with_default_name(new.function_name, new.args, new.name))
        for new in declared
    ]
    await _validate(ctx, managed_by, declared)
    names = [new.name for new in declared]
    either = [{"managedBy": managed_by}, {"name": {"$in": names}}]
    stored = await ctx.db.ostinato("crons").find({"owner": ctx.owner, "$or": either})
    found = {one["name"]: one for one in stored if isinstance(one.get("name"), str)}
    _require_own(managed_by, found)
    applied = AppliedCrons()
    for name, one in found.items():
        if name not in names or _is_malformed(one):
            await delete_cron(ctx, one["_id"])
            applied.deleted_ids.append(one["_id"])
    gone = set(applied.deleted_ids)
    known = {name: one for name, one in found.items() if one["_id"] not in gone}
    for position, new in enumerate(declared):
        with errors_about(position, new.name):
            await _apply_one(ctx, replace(new, managed_by=managed_by), known.get(new.name), applied)
    return applied


@contextmanager
def errors_about(position: int, name: str) -> Iterator[None]:
    """Add the position of a cron in the set to the issues of an error, its name to other errors."""
    try:
        yield
    except BadRequest as error:
        error.issues = tuple(_placed(position, error.issues))
        raise
    except OstinatoError as error:
        error.args = (f"the cron {name!r}: {error}",)
        raise


def _placed(position: int, issues: Iterable[Issue]) -> Iterator[Issue]:
    return (replace(issue, path=("crons", position, *issue.path)) for issue in issues)


async def _apply_one(
    ctx: Context, new: NewCron, known: dict[str, Any] | None, applied: AppliedCrons
) -> None:
    if known is None:
        applied.created.append(await register_cron(ctx, new))
        return
    changed = await redefine(ctx, known, new)
    is_same = changed.version == known["version"]
    (applied.unchanged if is_same else applied.updated).append(changed)


async def _validate(ctx: Context, managed_by: str, declared: Sequence[NewCron]) -> None:
    """Raise BadRequest with the issues of all crons, below their positions.

    The search for a day that is left takes up to 40 ms a cron, so the thread does it.
    """
    issues: list[Issue] = []
    if not 1 <= len(managed_by) <= MAX_NAME_CHARS or managed_by.startswith(RESERVED):
        message = f"managedBy must have 1 to {MAX_NAME_CHARS} characters and not start with @"
        issues.append(Issue(path=("managedBy",), message=message, code="invalid_name"))
    if len(declared) > MAX_SET:
        message = f"crons must be at most {MAX_SET}, got {len(declared)}"
        issues.append(Issue(path=("crons",), message=message, code="too_long"))
    names: set[str] = set()
    of_crons = await collect_in_cpu_thread(ctx.owner, map(_issues_of, declared[:MAX_SET]))
    for position, (new, found) in enumerate(zip(declared, of_crons, strict=False)):
        issues += _placed(position, found or _issues_in_set(ctx, new, names))
        names.add(new.name)
    if issues:
        raise BadRequest(issues[0].message, issues)


def _issues_of(new: NewCron) -> Sequence[Issue]:
    try:
        validate_cron(new)
    except BadRequest as error:
        return error.issues
    return ()


def _issues_in_set(ctx: Context, new: NewCron, names: set[str]) -> Sequence[Issue]:
    """Return the issues of a valid cron, after those with the given names."""
    if new.name in names:
        message = f"the name {new.name!r} is given twice"
        return [Issue(path=("name",), message=message, code="duplicate")]
    try:
        ctx.registry.resolve(new.function_name).bind(new.args)
    except BadRequest as error:
        return error.issues
    return ()


def _require_own(managed_by: str, found: dict[str, dict[str, Any]]) -> None:
    for name, one in found.items():
        other = one.get("managedBy")
        if other != managed_by:
            whose = "registered alone" if other is None else f"managed by {other!r}"
            raise Conflict(
                f"the cron {name!r} is {whose}, not by {managed_by!r}: delete it, or choose "
                "another name"
            )


def _is_malformed(found: dict[str, Any]) -> bool:
    try:
        read_as(cron_from, found)
    except Malformed:
        return True
    return False
