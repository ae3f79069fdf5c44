"""Inputs of the mutations for queues."""

import strawberry
from strawberry import UNSET

from ostinato.schema.inputs.limits import QueueName, Weight


@strawberry.input(description="The queue to pause.")
class QueueInput:
    queue: QueueName = strawberry.field(
        description="The queue's name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )


@strawberry.input(description="The queue to resume, and optionally its new weight.")
class ResumeQueueInput:
    queue: QueueName = strawberry.field(
        description="The queue's name: 1 to 64 of the characters a-z, 0-9, _ and -."
    )
    weight: Weight | None = strawberry.field(
        default=UNSET,
        description="The queue's new share of the workers relative to other queues: 1 to 1000. "
        "Unchanged if omitted; initially 1.",
    )
