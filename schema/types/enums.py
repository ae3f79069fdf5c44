"""The enums of the API: the engine's, with what each value means."""

from enum import Enum
from typing import Final

import strawberry
from strawberry.types.enum import has_enum_definition

from ostinato.jobs.filters import JobOrder
from ostinato.jobs.records import (
    BatchState,
    CatchUpPolicy,
    CauseKind,
    FunctionKind,
    JobState,
    OverlapPolicy,
    RequestState,
)
from ostinato.jobs.waiting_reasons import WarningCode
from ostinato.resolvers.changes import ChangeKind

_DESCRIPTIONS: Final[dict[type[Enum], tuple[str, dict[str, str]]]] = {
    JobState: (
        "Where a job is in its life.",
        {
            "PENDING": "It waits for its scheduled time, or for a free worker.",
            "IN_PROGRESS": "A worker runs it now.",
            "SUCCESS": "Its function returned.",
            "FAILED": "Its function raised on its last attempt; `retryJob` gives it another round.",
            "CANCELED": "Somebody canceled it; `retryJob` gives it another round.",
        },
    ),
    FunctionKind: (
        "What a function may do, and what that guarantees.",
        {
            "MUTATION": "Runs in one database transaction together with its own success: its "
            "effect happens exactly once.",
            "ACTION": "May touch the outside world: runs at most once per attempt.",
        },
    ),
    CauseKind: (
        "What created a job.",
        {
            "API": "A client, by `scheduleJob`.",
            "CRON": "A tick of a cron.",
            "RECURRING": "A recurring task.",
            "BATCH": "A batch.",
            "REQUEST": "A request with a timeout.",
            "JOB": "Another job's function.",
        },
    ),
    RequestState: (
        "How a request stands.",
        {
            "PENDING": "It is being processed, and its timeout has not come.",
            "COMPLETED": "It was processed in time.",
            "FAILED": "Its handler raised.",
            "TIMEOUT": "Its timeout came first; a later result changes nothing.",
        },
    ),
    WarningCode: (
        "Why something that was accepted does not happen for now.",
        {
            "NO_WORKER": "No worker is running.",
            "QUEUE_NOT_SERVED": "No running worker takes jobs from the queue.",
            "QUEUE_PAUSED": "The queue is paused.",
            "NOTHING_TO_PROCESS": "A batch has found no document that it could process.",
        },
    ),
    BatchState: (
        "How a batch stands.",
        {
            "RUNNING": "It goes on, page by page.",
            "PAUSED": "It waits to be resumed.",
            "DONE": "Every item was processed.",
            "CANCELED": "Somebody canceled it; what it processed stays processed.",
            "FAILED": "A page raised on its last attempt.",
        },
    ),
    OverlapPolicy: (
        "What a tick does while the cron's previous execution still runs.",
        {
            "SKIP": "It is left out and counted in `skippedTicks`.",
            "QUEUE": "It runs when the previous execution has ended.",
            "ALLOW": "It runs beside the previous execution.",
        },
    ),
    CatchUpPolicy: (
        "What happens to ticks that were missed while nothing ran.",
        {
            "SKIP": "None of them runs, but for one at most 15 seconds late.",
            "LATEST": "The last of them runs, once.",
            "ALL": "Each of them runs.",
        },
    ),
    JobOrder: (
        "The order of a list of jobs.",
        {
            "NEWEST": "Latest created first.",
            "OLDEST": "Earliest created first.",
            "SCHEDULED_ASC": "Earliest scheduled time first.",
            "SCHEDULED_DESC": "Latest scheduled time first.",
        },
    ),
    ChangeKind: (
        "What a message of a subscription tells.",
        {
            "SNAPSHOT": "An object as it is now; sent before READY.",
            "READY": "The snapshot, if one was asked for, is complete; from here on every change "
            "follows.",
            "CHANGED": "An object changed, or matches the filter now.",
            "LEFT": "An object does not match the filter any more, or is gone.",
            "CHECKPOINT": "Nothing happened for a while; here is a newer cursor.",
            "RESET": "Changes were lost: forget what you have; a snapshot or READY follows.",
        },
    ),
}


def _describe(enum: type[Enum], description: str, values: dict[str, str]) -> None:
    strawberry.enum(enum, description=description)
    assert has_enum_definition(enum)
    for value in enum.__strawberry_definition__.values:
        value.description = values[value.name]


for _enum, (_description, _values) in _DESCRIPTIONS.items():
    _describe(_enum, _description, _values)
