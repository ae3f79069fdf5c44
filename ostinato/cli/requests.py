"""The commands that list, follow, answer and change requests."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.options import AsJson, document_id, duration
from ostinato.cli.record_lists import RecordList, change_record, list_commands
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import REQUESTS

if TYPE_CHECKING:
    from ostinato.jobs.records import RequestState

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")]


def _states() -> "type[RequestState]":
    from ostinato.jobs.records import RequestState

    return RequestState


request_commands = list_commands(
    "List the newest requests, or answer one.",
    RecordList(
        table=REQUESTS,
        states=_states,
        read=lambda app, states, owner, limit: app.requests(*states, owner=owner, first=limit),
        follow=lambda app, states, owner: app.request_list_changes(*states, owner=owner),
    ),
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
    change_record(REQUESTS, lambda app: app.complete_request(found, given), as_json)


@request_commands.command()
def reject(
    request_id: RequestId,
    error: Annotated[str, typer.Argument(help="Why it is rejected.")],
    as_json: AsJson = False,
) -> None:
    """Fail a request with an error."""
    found = document_id(request_id, "Request")
    change_record(REQUESTS, lambda app: app.reject_request(found, error), as_json)


@request_commands.command()
def extend(
    request_id: RequestId,
    after: Annotated[str, typer.Option("--after", help="The timeout from now: 5m, 2h.")],
    as_json: AsJson = False,
) -> None:
    """Set the timeout of a pending request."""
    found, timeout = document_id(request_id, "Request"), duration(after)
    change_record(REQUESTS, lambda app: app.extend_request(found, timeout), as_json)


@request_commands.command()
def cancel(request_id: RequestId, as_json: AsJson = False) -> None:
    """Cancel a pending request."""
    found = document_id(request_id, "Request")
    change_record(REQUESTS, lambda app: app.cancel_request(found), as_json)
