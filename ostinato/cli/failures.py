"""The commands that list and follow failures and their groups, and that resolve or retry them."""

from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.bulk import All, Wait, start_bulk_action
from ostinato.cli.options import (
    AsJson,
    Limit,
    Owner,
    States,
    Watch,
    document_id,
    has_subcommand,
    instant,
    list_and_follow,
    members,
    run_command,
)
from ostinato.cli.record_lists import change_record
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import FAILURE_GROUPS, FAILURES, JOBS, print_change, print_rows

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.jobs.filters import FailureFilter, FailureState

failure_commands = typer.Typer(
    invoke_without_command=True, help="List the newest open failures, resolve or retry them."
)

FailureId = Annotated[
    str | None, typer.Argument(metavar="FAILURE", help="The id of one failure, without a filter.")
]
OfFunction = Annotated[str | None, typer.Option("--function", help="Only its failures.")]
OfFingerprint = Annotated[
    str | None, typer.Option("--fingerprint", help="Only failures with similar errors: a group.")
]
Since = Annotated[str | None, typer.Option("--since", help="Only failures at this time or later.")]


@failure_commands.callback()
def failures(  # noqa: PLR0913 (each is an option)
    context: typer.Context,
    state: States = None,
    function: OfFunction = None,
    fingerprint: OfFingerprint = None,
    since: Since = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest failures, without --state the open ones; or resolve or retry them."""
    if has_subcommand(context):
        return
    from ostinato.jobs.filters import FailureState

    which = _filter(function, fingerprint, since, members(FailureState, state))

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            items = (await app.failures(which, owner=owner, first=limit)).items
            print_rows(FAILURES, reversed(items) if watch else items, as_json)

        changes = app.failure_changes(which, owner=owner) if watch else None
        await list_and_follow(
            list_rows, changes, lambda message: print_change(FAILURES, message, as_json)
        )

    run_command(run)


@failure_commands.command()
def groups(
    function: OfFunction = None,
    since: Since = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the groups of open failures with similar errors."""
    which = _filter(function, None, since)

    async def run(app: "Ostinato") -> None:
        found = await app.failure_groups(which, owner=owner, first=limit)
        print_rows(FAILURE_GROUPS, found.items, as_json)

    run_command(run)


@failure_commands.command()
def resolve(  # noqa: PLR0913 (each is an option)
    failure_id: FailureId = None,
    function: OfFunction = None,
    fingerprint: OfFingerprint = None,
    since: Since = None,
    owner: Owner = None,
    every: All = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Resolve one failure, or all open ones that match and exist now."""
    which = _filter(function, fingerprint, since)
    if _is_one(failure_id, which, owner, every):
        found = document_id(failure_id or "", "Failure")
        change_record(FAILURES, lambda app: app.resolve(found), as_json)
    else:
        start_bulk_action(lambda app: app.resolve_failures(which, owner=owner), wait, as_json)


@failure_commands.command()
def retry(  # noqa: PLR0913 (each is an option)
    failure_id: FailureId = None,
    function: OfFunction = None,
    fingerprint: OfFingerprint = None,
    since: Since = None,
    owner: Owner = None,
    every: All = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Run the job of one failure again, or those of all open ones that match and exist now."""
    which = _filter(function, fingerprint, since)
    if _is_one(failure_id, which, owner, every):
        found = document_id(failure_id or "", "Failure")  # a job's failure has the job's id
        change_record(JOBS, lambda app: app.retry(found), as_json)
    else:
        start_bulk_action(lambda app: app.retry_failures(which, owner=owner), wait, as_json)


def _filter(
    function: str | None,
    fingerprint: str | None,
    since: str | None,
    states: "tuple[FailureState, ...] | None" = None,
) -> "FailureFilter":
    from ostinato.jobs.filters import FailureFilter, FailureState

    return FailureFilter(
        states=states or (FailureState.OPEN,),
        function_name=function,
        fingerprint=fingerprint,
        failed_from=None if since is None else instant(since, "--since"),
    )


def _is_one(failure_id: str | None, which: "FailureFilter", owner: str | None, every: bool) -> bool:
    """Return whether one failure is chosen; exit unless it is either one, or those of a filter."""
    from ostinato.jobs.filters import FailureFilter

    has_filter = which != FailureFilter() or owner is not None or every
    if (failure_id is None) != has_filter:
        exit_with(
            "choose failures with either an id, or --function, --fingerprint, --since, --owner or "
            "--all"
        )
    return failure_id is not None
