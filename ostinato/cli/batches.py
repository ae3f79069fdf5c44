"""The commands that list, follow and change batches."""

from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.options import AsJson, document_id
from ostinato.cli.record_lists import RecordList, change_record, list_commands
from ostinato.cli.tables import BATCHES

if TYPE_CHECKING:
    from ostinato.jobs.records import BatchState

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


def _states() -> "type[BatchState]":
    from ostinato.jobs.records import BatchState

    return BatchState


batch_commands = list_commands(
    "List the newest batches, or change one.",
    RecordList(
        table=BATCHES,
        states=_states,
        read=lambda app, states, owner, limit: app.batches(*states, owner=owner, first=limit),
        follow=lambda app, states, owner: app.batch_list_changes(*states, owner=owner),
    ),
)


@batch_commands.command()
def pause(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Pause a running batch after its page."""
    found = document_id(batch_id, "Batch")
    change_record(BATCHES, lambda app: app.pause_batch(found), as_json)


@batch_commands.command()
def resume(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Resume a paused batch."""
    found = document_id(batch_id, "Batch")
    change_record(BATCHES, lambda app: app.resume_batch(found), as_json)


@batch_commands.command()
def cancel(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel a batch; what it has processed stays processed."""
    found = document_id(batch_id, "Batch")
    change_record(BATCHES, lambda app: app.cancel_batch(found), as_json)
