"""What commands share: their options, how these are read, and how a command runs.

Commands use the Python client, for the system: they need MongoDB, and no API.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from ostinato.cli.settings import exit_with, require_functions, settings_of_dev

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.resolvers.live.messages import LiveMessage

E = TypeVar("E", bound=Enum)

UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION: Final = re.compile(r"(\d{1,9})([smhd]?)")

Owner = Annotated[str | None, typer.Option("--owner", help="Only those of this user.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Number of rows.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
After = Annotated[str | None, typer.Option("--after", help="A delay: 90s, 5m, 2h, 1d.")]
At = Annotated[
    str | None, typer.Option("--at", help="A time: 2030-01-31T12:00:00Z; UTC if it has no zone.")
]
States = Annotated[list[str] | None, typer.Option("--state", help="A state; can be repeated.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only jobs with this tag; can be repeated.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Then print each change, until Ctrl-C.")]


def run_command(command: "Callable[[Ostinato], Awaitable[None]]") -> None:
    """Run a command with an open client; exit with the message of an error."""
    from ostinato.application import Ostinato
    from ostinato.jobs.errors import OstinatoError
    from ostinato.jobs.mongo.diagnostics import startup_problem

    settings = settings_of_dev()
    require_functions(settings)

    async def run() -> None:
        if problem := await startup_problem(settings.mongo_url, settings.database):
            exit_with(problem)
        async with Ostinato.open(settings) as app:
            await command(app)

    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(run())
        except OstinatoError as error:
            exit_with(str(error))


def has_subcommand(context: typer.Context) -> bool:
    """Return whether a subcommand was given; exit if an option before it would have no effect."""
    subcommand = context.invoked_subcommand
    if subcommand is None:
        return False
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            name = option.opts[0]
            exit_with(
                f"{name} before {subcommand} has no effect: write it after {subcommand}, or omit it"
            )
    return True


async def list_and_follow(
    list_rows: Callable[[], Awaitable[None]],
    changes: "AsyncGenerator[LiveMessage[Any], None] | None",
    print_change: "Callable[[LiveMessage[Any]], None]",
) -> None:
    """List the rows: after READY, if `changes` is given, and then print each change."""
    if changes is None:
        await list_rows()
        return
    from ostinato.resolvers.live.messages import ChangeKind

    async with aclosing(changes):
        async for message in changes:
            if message.kind is ChangeKind.READY:
                await list_rows()
            elif message.kind in (ChangeKind.CHANGED, ChangeKind.LEFT):
                print_change(message)


def json_object(option: str, text: str) -> dict[str, object]:
    """Read a JSON object; exit if it is not one."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        exit_with(f'{option} is not JSON ({error}): write {option} \'{{"name": "value"}}\'')
    if not isinstance(given, dict):
        exit_with(f"{option} must be a JSON object, got {text:.100}")
    return given


def duration(text: str, option: str = "--after") -> timedelta:
    """Read a number with a unit; exit if it is not one."""
    found = DURATION.fullmatch(text)
    if found is None:
        exit_with(f"{option} must be a number with s, m, h or d, such as 5m, got {text!r:.100}")
    return timedelta(seconds=int(found[1]) * UNITS_S[found[2]])


def instant(text: str, option: str = "--at") -> datetime:
    """Read a time, which is in UTC if it has no zone; exit if it is not one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        exit_with(f"{option} must be a time such as 2030-01-31T12:00:00Z, got {text!r:.100}")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def one_due_time(after: str | None, at: str | None) -> tuple[datetime | None, timedelta | None]:
    """Read a new due time; exit unless exactly one form is given."""
    if (after is None) == (at is None):
        exit_with("write either --after or --at")
    return None if at is None else instant(at), None if after is None else duration(after)


def document_id(text: str, *type_names: str) -> str:
    """Return the id of an object, which may be given as the GraphQL API returns it.

    Exits if it is not the id of an object of these types.
    """
    from ostinato.jobs.ids import is_id

    if is_id(text):
        return text
    from ostinato.schema.ids import document_id as decode

    try:
        return decode(text, *type_names)
    except ValueError as error:
        exit_with(f"{text!r:.100} {error}")


def members(kind: type[E], given: Sequence[str] | None, option: str = "--state") -> tuple[E, ...]:
    """Return the values with these names, in any case; exit if there is none with a name."""
    return tuple(member(kind, name, option) for name in given or ())


def member(kind: type[E], name: str, option: str) -> E:
    """Return the value with this name, in any case; exit if there is none."""
    try:
        return kind[name.upper()]
    except KeyError:
        names = ", ".join(kind.__members__)
        exit_with(f"{option} must be one of {names}, got {name!r:.100}")
