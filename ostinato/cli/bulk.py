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
    members,
    one_due_time,
    run_command,
    show,
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
    typer.Option("--cause", help="Only jobs that this cron, batch, request or job has created."),
]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this job; can be repeated.")]
All = Annotated[bool, typer.Option("--all", help="All jobs, without a filter.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")]


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
    which = _filter(state=state, function=function, queue=queue, cause=cause, tag=tag)
    if context.invoked_subcommand is not None:
        if _is_filter(which) or owner is not None:
            exit_with(f"write the filter after {context.invoked_subcommand}")
        return

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            page = await app.jobs(which, owner=owner, first=limit)
            print_jobs(reversed(page.items) if watch else page.items, as_json)

        changes = app.changes(which, owner=owner) if watch else None
        await show(list_rows, changes, lambda message: print_job_change(message, as_json))

    run_command(run)


@bulk_commands.command()
def cancel(  # noqa: PLR0913 (each is an option)
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
    """Cancel all pending and running jobs that match and exist now."""
    which = _required(
        _filter(state=state, function=function, queue=queue, cause=cause, tag=tag, ids=ids),
        owner,
        every,
    )
    _start(lambda app: app.cancel_jobs(which, owner=owner), wait, as_json)


@bulk_commands.command()
def retry(  # noqa: PLR0913 (each is an option)
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
    """Run all failed and canceled jobs again that match and exist now."""
    which = _required(
        _filter(state=state, function=function, queue=queue, cause=cause, tag=tag, ids=ids),
        owner,
        every,
    )
    _start(lambda app: app.retry_jobs(which, owner=owner), wait, as_json)


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
    _start(
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


def _is_filter(which: "JobFilter") -> bool:
    from ostinato.jobs.filters import JobFilter

    return which != JobFilter()


def _required(which: "JobFilter", owner: str | None, every: bool) -> "JobFilter":
    """Exit unless something is chosen: without a filter, all jobs of all owners match."""
    if not _is_filter(which) and owner is None and not every:
        exit_with("choose jobs with --function, --queue, --cause, --tag, --id, --owner or --all")
    return which


def _start(start: "Callable[[Ostinato], Awaitable[BulkAction]]", wait: bool, as_json: bool) -> None:
    """Start a bulk action, wait for its end unless that is not wanted, and print it."""

    async def run(app: "Ostinato") -> None:
        from ostinato.jobs.bulk_actions import BulkActionState

        action = await start(app)
        while wait and action.state is BulkActionState.RUNNING:
            await asyncio.sleep(POLL_S)
            action = await app.bulk_action(action.id)
        print_bulk_action(action, as_json)

    run_command(run)
