"""The parts of Ostinato's schema, for an application's own schema with more types and fields.

Inherit from `Query`, `Mutation` and `Subscription`, build the schema with `build_schema`, and serve
it with `Ostinato.asgi(schema=…)`: docs/embedding.md has an example.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from ostinato.jobs.errors import PayloadTooLarge
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_with_ids_changed
from ostinato.schema.build import build_schema
from ostinato.schema.execution.operation_cost import ROW_COST
from ostinato.schema.fields import Info
from ostinato.schema.roots.alerts import AlertMutation as Mutation
from ostinato.schema.roots.alerts import AlertQuery as Query
from ostinato.schema.roots.alerts import AlertSubscription as Subscription
from ostinato.schema.types.changes import JobChange
from ostinato.schema.types.job import Job

__all__ = [
    "Info",
    "Job",
    "JobChange",
    "Mutation",
    "Query",
    "Subscription",
    "build_schema",
    "follow_jobs",
    "read_jobs",
]

MAX_IDS = 1_000


async def read_jobs(info: Info, ids: Sequence[str]) -> list[Job]:
    """Return the jobs with these ids that the viewer may see, in this order.

    `ids` are those of `JobHandle.id`, at most 1,000. Calls for several objects share a query. Each
    job adds to the cost of the operation. Raises PayloadTooLarge beyond it.
    """
    _require_few(ids)
    info.context.charge(ROW_COST * len(ids))
    found = await asyncio.gather(*map(info.context.loaders.jobs.load, ids))
    return [Job.of(record) for record in found if record is not None]


async def follow_jobs(
    info: Info, ids: Sequence[str], *, after: str | None = None
) -> AsyncGenerator[JobChange, None]:
    """Yield the jobs with these ids that the viewer may see, READY, and then each change.

    With `after`, the cursor of a message, resume after it: READY, then the missed changes. Raises
    BadRequest at `after`, HistoryLost and SlowConsumer.
    """
    _require_few(ids)
    options = SubscribeOptions(after=after, snapshot=True)
    query = jobs_with_ids_changed(info.context, ids, options).map(JobChange.of)
    messages = aiter(query)
    async with aclosing(messages):  # type: ignore[type-var]  # it is a generator
        async for message in messages:
            yield message


def _require_few(ids: Sequence[str]) -> None:
    if len(ids) > MAX_IDS:
        raise PayloadTooLarge(f"at most {MAX_IDS:,} jobs can be read at once, got {len(ids):,}")
