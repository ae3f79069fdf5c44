"""The query that previews a change of a cron, and the types of its answer."""

from datetime import datetime
from typing import Annotated

import strawberry

from ostinato.jobs import cron_preview
from ostinato.resolvers import cron_changes, crons
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.inputs.cron_changes import PreviewCronChangeInput
from ostinato.schema.roots.overview import OverviewQuery
from ostinato.schema.roots.root_fields import INPUT, issues_below, validate_argument
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(description="A run that a cron plans.")
class PlannedRun(RecordProxy[cron_preview.PlannedRun]):
    tick: datetime = strawberry.field(description="The tick of the schedule.")
    starts_at: datetime = strawberry.field(
        description="When it starts: the tick, with its random delay of up to `jitterMs`."
    )


@strawberry.type(description="A run that a change moves.")
class MovedRun(RecordProxy[cron_preview.MovedRun]):
    @strawberry_field(description="The run without the change.")
    def before(self) -> PlannedRun:
        return PlannedRun.of(self.record.before)

    @strawberry_field(description="The run after the change.")
    def after(self) -> PlannedRun:
        return PlannedRun.of(self.record.after)


@strawberry.type(
    description="What a change does to the runs of a cron, if every tick runs. A removed and an "
    "added run that follow each other, without another run between them, are one that moves."
)
class CronChangePreview(RecordProxy[cron_preview.RunChanges]):
    until: datetime = strawberry.field(description="The end of the compared period, exclusive.")
    truncated: bool = strawberry.field(
        description="Whether something is missing: a list has only the first 100 runs, or the "
        "period ends early because it has more than 200,000 ticks."
    )
    unchanged_count: int = strawberry.field(description="The number of runs that stay.")
    added_count: int = strawberry.field(description="The number of added runs.")
    removed_count: int = strawberry.field(description="The number of removed runs.")
    moved_count: int = strawberry.field(description="The number of moved runs.")

    @strawberry_field(description="The first 100 added runs.")
    def added(self) -> list[PlannedRun]:
        return [PlannedRun.of(run) for run in self.record.added]

    @strawberry_field(description="The first 100 removed runs.")
    def removed(self) -> list[PlannedRun]:
        return [PlannedRun.of(run) for run in self.record.removed]

    @strawberry_field(description="The first 100 moved runs.")
    def moved(self) -> list[MovedRun]:
        return [MovedRun.of(run) for run in self.record.moved]


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class CronChangeQuery(OverviewQuery):
    @strawberry_field(
        description="What a change of a cron would do to its runs, before it is made; fails where "
        "`updateCron` would, except for quotas."
    )
    async def preview_cron_change(
        self,
        info: Info,
        given: Annotated[
            PreviewCronChangeInput,
            strawberry.argument(name="input", description="The cron, its changes and the period."),
        ],
    ) -> CronChangePreview | None:
        await crons.check_cronspec(info.context, unset_to_none(given.cronspec))
        data = validate_argument(info, given, INPUT)
        with issues_below(INPUT):
            found = await cron_changes.preview_cron_change(
                info.context, data.cron_id, given.to_patch(data), data.days
            )
        return CronChangePreview.of(found)
