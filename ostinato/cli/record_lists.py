"""What the commands for requests, batches and alerts share: how they list, and how they change."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer

from ostinato.cli.options import (
    AsJson,
    Limit,
    Owner,
    States,
    Watch,
    has_subcommand,
    list_and_follow,
    members,
    run_command,
)
from ostinato.cli.tables import Table, print_change, print_rows

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.jobs.paging import Page
    from ostinato.resolvers.live.messages import LiveMessage

    Changes = AsyncGenerator[LiveMessage[Any], None]

E = TypeVar("E", bound=Enum)
Verb = Callable[["Ostinato"], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordList(Generic[E]):
    """How records of one kind are read, followed and printed; without states, those in all."""

    table: Table
    states: Callable[[], type[E]]
    """Returns the enumeration of their states, which is imported when it is needed."""
    read: "Callable[[Ostinato, tuple[E, ...], str | None, int], Awaitable[Page[Any]]]"
    """Reads the newest ones in some states, of an owner or of all, up to a limit."""
    follow: "Callable[[Ostinato, tuple[E, ...], str | None], Changes]"
    """Follows those in some states, of an owner or of all."""


def list_commands(help_text: str, records: RecordList[E]) -> typer.Typer:
    """Return a group of commands that lists the newest records if no subcommand is given."""
    commands = typer.Typer(invoke_without_command=True, help=help_text)

    @commands.callback()
    def list_newest(  # noqa: PLR0913 (each is an option)
        context: typer.Context,
        state: States = None,
        owner: Owner = None,
        limit: Limit = 20,
        as_json: AsJson = False,
        watch: Watch = False,
    ) -> None:
        if has_subcommand(context):
            return
        states = members(records.states(), state)
        list_records(
            records.table,
            lambda app: records.read(app, states, owner, limit),
            (lambda app: records.follow(app, states, owner)) if watch else None,
            as_json,
        )

    return commands


def list_records(
    table: Table,
    read: "Callable[[Ostinato], Awaitable[Page[Any]]]",
    follow: "Callable[[Ostinato], Changes] | None",
    as_json: bool,
) -> None:
    """Print the newest records, and their changes unless `follow` is None."""

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            items = (await read(app)).items
            print_rows(table, reversed(items) if follow else items, as_json)

        changes = follow(app) if follow else None
        await list_and_follow(
            list_rows, changes, lambda message: print_change(table, message, as_json)
        )

    run_command(run)


def change_record(table: Table, verb: Verb, as_json: bool) -> None:
    """Change a record and print it."""

    async def run(app: "Ostinato") -> None:
        print_rows(table, [await verb(app)], as_json)

    run_command(run)
