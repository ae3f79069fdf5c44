"""The commands that list and follow jobs, and that change all jobs that match a filter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypedDict, Unpack

import typer

from ostinato.cli.options import (
    After,
    AsJson,
    At,
    Limit,
    Owner,
    States,
    Tags,
    Watch,
    document_id,
    has_subcommand,
    list_and_follow,
    members,
    one_due_time,
    run_command,
)
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import print_bulk_action, print_job_change, print_jobs

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.jobs.bulk_actions import BulkAction
    from ostinato.jobs.filters import JobFilter

POLL_S: Final = 0.5  # a page of a bulk action takes some 0.1 s

bulk_commands = typer.Typer(
    invoke_without_command=True, help="List the newest jobs, or change all that match."
)

OfFunction = Annotated[str | None, typer.Option("--function", help="Only its jobs.")]
OfQueue = Annotated[str | None, typer.Option("--queue", help="Only jobs of this queue.")]
OfCause = Annotated[
    str | None,
    typer.Option(
        "--cause",
        help="Only jobs created by this cron, recurring task, batch, request, job or bulk action.",
    ),
]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this job; can be repeated.")]
All = Annotated[bool, typer.Option("--all", help="All jobs, without a filter.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")]
Start = Callable[["Ostinato", "JobFilter", str | None], Awaitable["BulkAction"]]
"""Starts a bulk action on the jobs of a filter, of one owner or of all."""


@bulk_commands.callback()
def jobs(  # noqa: PLR0913 (each is an option)
    context: typer.Context,
    state: States = None,
    function: OfFunction = None,
    queue: OfQueue = None,
    cause: OfCause = None,
    tag: Tags = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest jobs, or change all that match."""
    if has_subcommand(context):
        return
    which = _filter(state=state, function=function, queue=queue, cause=cause, tag=tag)

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            page = await app.jobs(which, owner=owner, first=limit)
            print_jobs(reversed(page.items) if watch else page.items, as_json)

        changes = app.changes(which, owner=owner) if watch else None
        await list_and_follow(
            list_rows, changes, lambda message: print_job_change(message, as_json)
        )

    run_command(run)


def _add(name: str, start: Start, help_text: str) -> None:
    """Add a command that changes all jobs that match, without a further option."""

    @bulk_commands.command(name, help=help_text)
    def change(  # noqa: PLR0913 (each is an option)
        state: States = None,
        function: OfFunction = None,
        queue: OfQueue = None,
        cause: OfCause = None,
        tag: Tags = None,
        ids: Ids = None,
        owner: Owner = None,
        every: All = False,
        wait: Wait = True,
        as_json: AsJson = False,
    ) -> None:
        which = _required(
            _filter(state=state, function=function, queue=queue, cause=cause, tag=tag, ids=ids),
            owner,
            every,
            "--state, ",
        )
        start_bulk_action(lambda app: start(app, which, owner), wait, as_json)


_add(
    "cancel",
    lambda app, which, owner: app.cancel_jobs(which, owner=owner),
    "Cancel all pending and running jobs that match and exist now.",
)
_add(
    "retry",
    lambda app, which, owner: app.retry_jobs(which, owner=owner),
    "Run all failed and canceled jobs again that match and exist now.",
)


@bulk_commands.command()
def reschedule(  # noqa: PLR0913 (each is an option)
    after: After = None,
    at: At = None,
    function: OfFunction = None,
    queue: OfQueue = None,
    cause: OfCause = None,
    tag: Tags = None,
    ids: Ids = None,
    owner: Owner = None,
    every: All = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Change when all pending jobs are due that match and exist now."""
    run_at, run_after = one_due_time(after, at)
    which = _required(
        _filter(function=function, queue=queue, cause=cause, tag=tag, ids=ids), owner, every
    )
    start_bulk_action(
        lambda app: app.reschedule_jobs(which, run_at=run_at, run_after=run_after, owner=owner),
        wait,
        as_json,
    )


class JobOptions(TypedDict, total=False):
    """The options that choose jobs."""

    state: Sequence[str] | None
    function: str | None
    queue: str | None
    cause: str | None
    tag: Sequence[str] | None
    ids: Sequence[str] | None


def _filter(**options: Unpack[JobOptions]) -> "JobFilter":
    from ostinato.jobs.filters import JobFilter
    from ostinato.jobs.records import JobState

    state, cause, ids = options.get("state"), options.get("cause"), options.get("ids")
    return JobFilter(
        states=members(JobState, state) if state else None,
        function_name=options.get("function"),
        queue=options.get("queue"),
        cause_id=None if cause is None else _cause_id(cause),
        tags=tuple(options.get("tag") or ()),
        ids=tuple(document_id(one, "Job") for one in ids) if ids else None,
    )


def _cause_id(text: str) -> str:
    from ostinato.jobs.ids import is_id

    if is_id(text):
        return text
    from ostinato.schema.types.cause import CAUSE_TYPES

    return document_id(text, *CAUSE_TYPES.values())


def _required(which: "JobFilter", owner: str | None, every: bool, more: str = "") -> "JobFilter":
    """Exit unless something is chosen: without a filter, all jobs of all owners match."""
    from ostinato.jobs.filters import JobFilter

    if which == JobFilter() and owner is None and not every:
        options = f"{more}--function, --queue, --cause, --tag, --id, --owner or --all"
        exit_with(f"choose jobs with {options}")
    return which


def start_bulk_action(
    start: "Callable[[Ostinato], Awaitable[BulkAction]]", wait: bool, as_json: bool
) -> None:
    """Start a bulk action, wait for its end unless that is not wanted, and print it.

    Exits with 1 if it has failed.
    """

    async def run(app: "Ostinato") -> None:
        from ostinato.jobs.bulk_actions import BulkActionState

        action = await start(app)
        while wait and action.state is BulkActionState.RUNNING:
            await asyncio.sleep(POLL_S)
            action = await app.bulk_action(action.id)
        print_bulk_action(action, as_json)
        if action.state is BulkActionState.FAILED:
            raise typer.Exit(1)

    run_command(run)
