"""The GraphQL types of the ticks of a cron: the ledger, its counts, and the cron's health."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.jobs import cron_ledger
from ostinato.jobs.cron_ledger import TickOrigin, TickOutcome, TickReason
from ostinato.jobs.paging import Page
from ostinato.resolvers import cron_ticks
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import Connection, connection_by_id
from ostinato.schema.scalars import Milliseconds, SafeInt
from ostinato.schema.types.job import Job
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(
    description="What became of a planned tick of a cron, or of several consecutive ones with the "
    "same outcome and reason. It never changes."
)
class CronTick(NodeProxy[cron_ledger.CronTick], Node):
    outcome: TickOutcome = strawberry.field(description="What became of it.")
    reason: TickReason | None = strawberry.field(description="Why it did not run; null if it ran.")
    origin: TickOrigin = strawberry.field(description="What asked for the run.")
    scheduled_time: datetime = strawberry.field(
        description="The planned time of the tick, or of the first of several."
    )
    last_scheduled_time: datetime = strawberry.field(
        description="The planned time of the last of several ticks; equals `scheduledTime` for "
        "one. Ticks with other outcomes may lie between the two."
    )
    tick_count: SafeInt = strawberry.field(description="The number of ticks.")
    delay_ms: Milliseconds = strawberry.field(
        description="The random delay of the run, by the `jitterMs` of the cron."
    )
    recorded_at: datetime = strawberry.field(
        description="When its outcome was decided. It is kept for a time from then "
        "(`OSTINATO_CRON_TICK_RETENTION_MS`)."
    )

    @strawberry_field(description="The id of its cron, which may have been deleted.")
    def cron_id(self) -> strawberry.ID:
        return global_id("Cron", self.record.cron_id)

    @strawberry_field(
        description="The id of the job that ran; of a coalesced tick, the job that ran instead. "
        "Null if it did not run."
    )
    def job_id(self) -> strawberry.ID | None:
        job_id = self.record.job_id
        return None if job_id is None else global_id("Job", job_id)

    @strawberry_field(
        description="The job with the id `jobId`; null if it has been purged.", shared=True
    )
    async def job(self, info: Info) -> Job | None:
        if self.record.job_id is None:
            return None
        return Job.of_optional(await info.context.loaders.jobs.load(self.record.job_id))


def tick_connection(page: Page[cron_ledger.CronTick]) -> Connection[CronTick]:
    """Build the connection of a page of ticks."""
    return connection_by_id(page, CronTick.of)


@strawberry.type(
    description="The numbers of a cron's planned ticks by outcome, since its registration or the "
    "first version that counted them. Ticks that wait for the end of a run are not counted yet."
)
class TickCounts:
    planned: SafeInt = strawberry.field(description="The sum of the others.")
    ran: SafeInt = strawberry.field(description="Ticks that created a job.")
    skipped: SafeInt = strawberry.field(description="Ticks that were not to run.")
    missed: SafeInt = strawberry.field(description="Ticks that no worker ran.")
    coalesced: SafeInt = strawberry.field(description="Missed ticks that a later one ran for.")
    canceled: SafeInt = strawberry.field(
        description="Ticks that were due or waiting at a pause, a change or a deletion."
    )

    @classmethod
    def of(cls, counts: cron_ledger.TickCounts) -> Self:
        return cls(
            planned=SafeInt(counts.planned),
            ran=SafeInt(counts.ran),
            skipped=SafeInt(counts.skipped),
            missed=SafeInt(counts.missed),
            coalesced=SafeInt(counts.coalesced),
            canceled=SafeInt(counts.canceled),
        )


@strawberry.type(
    description="How long after their planned times, with the random delay, the newest runs "
    "started."
)
class Lateness:
    runs: int = strawberry.field(
        description="The number of runs: those among the newest 200 ticks whose jobs are stored."
    )
    p50_ms: Milliseconds = strawberry.field(description="The median.")
    p95_ms: Milliseconds = strawberry.field(description="95% of the runs started within it.")
    p99_ms: Milliseconds = strawberry.field(description="99% of the runs started within it.")
    max_ms: Milliseconds = strawberry.field(description="The maximum.")

    @classmethod
    def of(cls, found: cron_ticks.Lateness) -> Self:
        return cls(
            runs=found.runs,
            p50_ms=Milliseconds(found.p50_ms),
            p95_ms=Milliseconds(found.p95_ms),
            p99_ms=Milliseconds(found.p99_ms),
            max_ms=Milliseconds(found.max_ms),
        )


@strawberry.type(description="How a cron has done.")
class CronHealth:
    last_tick: CronTick | None = strawberry.field(
        description="The newest record of its ticks; null if none is stored."
    )
    failures_in_a_row: int = strawberry.field(
        description="The number of runs that have failed since the last success, in the order of "
        "their ticks. Canceled runs do not count."
    )
    counts: TickCounts = strawberry.field(description="Its planned ticks by outcome.")
    lateness: Lateness | None = strawberry.field(
        description="How late its newest runs started; null if none is stored."
    )

    @classmethod
    def of(cls, found: cron_ticks.CronHealth) -> Self:
        return cls(
            last_tick=CronTick.of_optional(found.last_tick),
            failures_in_a_row=found.failures_in_a_row,
            counts=TickCounts.of(found.cron.tick_counts),
            lateness=None if found.lateness is None else Lateness.of(found.lateness),
        )
