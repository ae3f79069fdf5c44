"""The commands that list, follow and change alerts."""

from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.options import AsJson, document_id
from ostinato.cli.record_lists import RecordList, change_record, list_commands
from ostinato.cli.tables import ALERTS

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.jobs.alerts import Alert, AlertState
    from ostinato.jobs.paging import Page

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]


def _states() -> "type[AlertState]":
    from ostinato.jobs.alerts import AlertState

    return AlertState


async def _read(
    app: "Ostinato", states: "tuple[AlertState, ...]", owner: str | None, limit: int
) -> "Page[Alert]":
    from ostinato.resolvers.alerts import AlertFilter

    return await app.alerts(AlertFilter(states=states or None), owner=owner, first=limit)


alert_commands = list_commands(
    "List the newest alerts, or change one.",
    RecordList(
        table=ALERTS,
        states=_states,
        read=_read,
        follow=lambda app, states, owner: app.alert_changes(*states, owner=owner),
    ),
)


@alert_commands.command()
def acknowledge(alert_id: AlertId, as_json: AsJson = False) -> None:
    """Acknowledge an open alert: somebody takes care of it."""
    found = document_id(alert_id, "Alert")
    change_record(ALERTS, lambda app: app.acknowledge_alert(found), as_json)


@alert_commands.command()
def resolve(alert_id: AlertId, as_json: AsJson = False) -> None:
    """Resolve an alert before its reason has ended."""
    found = document_id(alert_id, "Alert")
    change_record(ALERTS, lambda app: app.resolve_alert(found), as_json)
