"""The commands that list and follow failures and their groups, and that resolve or retry them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

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
    members,
)
from ostinato.cli.record_lists import change_record, list_records
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import FAILURE_GROUPS, FAILURES, JOBS, Table

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.jobs.bulk_actions import BulkAction
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
ChangeOne = Callable[["Ostinato", str], Awaitable[Any]]
"""Changes the failure with an id."""
ChangeAll = Callable[["Ostinato", "FailureFilter", str | None], Awaitable["BulkAction"]]
"""Starts a bulk action on the failures of a filter, of one owner or of all."""


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
    list_records(
        FAILURES,
        lambda app: app.failures(which, owner=owner, first=limit),
        (lambda app: app.failure_changes(which, owner=owner)) if watch else None,
        as_json,
    )


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
    list_records(
        FAILURE_GROUPS,
        lambda app: app.failure_groups(which, owner=owner, first=limit),
        None,
        as_json,
    )


def _add(
    name: str, table: Table, one: ChangeOne, all_that_match: ChangeAll, help_text: str
) -> None:
    """Add a command that changes one failure, or all open ones that match."""

    @failure_commands.command(name, help=help_text)
    def change(  # noqa: PLR0913 (each is an option)
        failure_id: FailureId = None,
        function: OfFunction = None,
        fingerprint: OfFingerprint = None,
        since: Since = None,
        owner: Owner = None,
        every: All = False,
        wait: Wait = True,
        as_json: AsJson = False,
    ) -> None:
        which = _filter(function, fingerprint, since)
        if _is_one(failure_id, which, owner, every):
            found = document_id(failure_id or "", "Failure")
            change_record(table, lambda app: one(app, found), as_json)
        else:
            start_bulk_action(lambda app: all_that_match(app, which, owner), wait, as_json)


_add(
    "resolve",
    FAILURES,
    lambda app, failure_id: app.resolve(failure_id),
    lambda app, which, owner: app.resolve_failures(which, owner=owner),
    "Resolve one failure, or all open ones that match and exist now.",
)
_add(
    "retry",
    JOBS,
    lambda app, failure_id: app.retry(failure_id),  # a job's failure has the job's id
    lambda app, which, owner: app.retry_failures(which, owner=owner),
    "Run the job of one failure again, or those of all open ones that match and exist now.",
)


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
