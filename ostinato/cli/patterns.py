"""The commands that list, follow and change requests, batches and alerts."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostinato.cli.options import (
    AsJson,
    Limit,
    Owner,
    Watch,
    document_id,
    duration,
    members,
    run_command,
    show,
)
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import ALERTS, BATCHES, REQUESTS, Table, print_change, print_rows

if TYPE_CHECKING:
    from ostinato.application import Ostinato

request_commands = typer.Typer(
    invoke_without_command=True, help="List the newest requests, or answer one."
)
batch_commands = typer.Typer(
    invoke_without_command=True, help="List the newest batches, or change one."
)
alert_commands = typer.Typer(
    invoke_without_command=True, help="List the newest alerts, or change one."
)

States = Annotated[list[str] | None, typer.Option("--state", help="A state; can be repeated.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]
AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]
Verb = Callable[["Ostinato"], Awaitable[Any]]


@request_commands.callback()
def requests(  # noqa: PLR0913 (each is an option)
    context: typer.Context,
    state: States = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest requests, or answer one."""
    from ostinato.jobs.records import RequestState

    states = members(RequestState, state)
    if context.invoked_subcommand is None:
        _list(
            REQUESTS,
            lambda app: app.requests(*states, owner=owner, first=limit),
            (lambda app: app.request_list_changes(*states, owner=owner)) if watch else None,
            as_json,
        )


@request_commands.command()
def complete(
    request_id: RequestId,
    result: Annotated[str, typer.Option("--result", help="The result, as JSON.")] = "null",
    as_json: AsJson = False,
) -> None:
    """Complete a request with a result."""
    try:
        given = json.loads(result)
    except (ValueError, RecursionError) as error:
        exit_with(f"--result is not JSON ({error}): write --result '{{\"ok\": true}}'")
    found = document_id(request_id, "Request")
    _change(REQUESTS, lambda app: app.complete_request(found, given), as_json)


@request_commands.command()
def reject(
    request_id: RequestId,
    error: Annotated[str, typer.Argument(help="Why it is rejected.")],
    as_json: AsJson = False,
) -> None:
    """Fail a request with an error."""
    found = document_id(request_id, "Request")
    _change(REQUESTS, lambda app: app.reject_request(found, error), as_json)


@request_commands.command()
def extend(
    request_id: RequestId,
    after: Annotated[str, typer.Option("--after", help="The timeout from now: 5m, 2h.")],
    as_json: AsJson = False,
) -> None:
    """Set the timeout of a pending request."""
    found, timeout = document_id(request_id, "Request"), duration(after)
    _change(REQUESTS, lambda app: app.extend_request(found, timeout), as_json)


@request_commands.command("cancel")
def cancel_request(request_id: RequestId, as_json: AsJson = False) -> None:
    """Cancel a pending request."""
    found = document_id(request_id, "Request")
    _change(REQUESTS, lambda app: app.cancel_request(found), as_json)


@batch_commands.callback()
def batches(  # noqa: PLR0913 (each is an option)
    context: typer.Context,
    state: States = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest batches, or change one."""
    from ostinato.jobs.records import BatchState

    states = members(BatchState, state)
    if context.invoked_subcommand is None:
        _list(
            BATCHES,
            lambda app: app.batches(*states, owner=owner, first=limit),
            (lambda app: app.batch_list_changes(*states, owner=owner)) if watch else None,
            as_json,
        )


@batch_commands.command()
def pause(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Pause a running batch after its page."""
    found = document_id(batch_id, "Batch")
    _change(BATCHES, lambda app: app.pause_batch(found), as_json)


@batch_commands.command()
def resume(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Resume a paused batch."""
    found = document_id(batch_id, "Batch")
    _change(BATCHES, lambda app: app.resume_batch(found), as_json)


@batch_commands.command("cancel")
def cancel_batch(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel a batch; what it has processed stays processed."""
    found = document_id(batch_id, "Batch")
    _change(BATCHES, lambda app: app.cancel_batch(found), as_json)


@alert_commands.callback()
def alerts(  # noqa: PLR0913 (each is an option)
    context: typer.Context,
    state: States = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest alerts, or change one."""
    from ostinato.jobs.alerts import AlertState
    from ostinato.resolvers.alerts import AlertFilter

    which = AlertFilter(states=members(AlertState, state) or None)
    if context.invoked_subcommand is None:
        _list(
            ALERTS,
            lambda app: app.alerts(which, owner=owner, first=limit),
            (lambda app: app.alert_changes(owner=owner)) if watch else None,
            as_json,
        )


@alert_commands.command()
def acknowledge(alert_id: AlertId, as_json: AsJson = False) -> None:
    """Acknowledge an open alert: somebody takes care of it."""
    found = document_id(alert_id, "Alert")
    _change(ALERTS, lambda app: app.acknowledge_alert(found), as_json)


@alert_commands.command()
def resolve(alert_id: AlertId, as_json: AsJson = False) -> None:
    """Resolve an alert before its reason has ended."""
    found = document_id(alert_id, "Alert")
    _change(ALERTS, lambda app: app.resolve_alert(found), as_json)


def _list(
    table: Table,
    read: "Callable[[Ostinato], Awaitable[Any]]",
    follow: "Callable[[Ostinato], Any] | None",
    as_json: bool,
) -> None:
    """Print a page, newest first; if changes are followed, oldest first, and then each change."""

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            items = (await read(app)).items
            print_rows(table, reversed(items) if follow else items, as_json)

        changes = None if follow is None else follow(app)
        await show(list_rows, changes, lambda message: print_change(table, message, as_json))

    run_command(run)


def _change(table: Table, verb: Verb, as_json: bool) -> None:
    """Change an object and print it."""

    async def run(app: "Ostinato") -> None:
        print_rows(table, [await verb(app)], as_json)

    run_command(run)
