"""The queries for crons, their schedules and calendars, a part of the Query root."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from ostinato.jobs.errors import BadRequest
from ostinato.resolvers import calendars, crons
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.ids import argument_id
from ostinato.schema.inputs.crons import CronFilter, PreviewCronInput
from ostinato.schema.pagination import (
    After,
    Before,
    Connection,
    First,
    Last,
    PageRequest,
    connection_by_id,
)
from ostinato.schema.roots.root_fields import INPUT, validate_argument
from ostinato.schema.types.calendar import Calendar
from ostinato.schema.types.cron import Cron, PlannedTick

FilterCrons = Annotated[
    CronFilter | None,
    strawberry.argument(
        name="filter", description="Conditions that crons must match. If omitted, all crons."
    ),
]
PreviewInput = Annotated[
    PreviewCronInput,
    strawberry.argument(name="input", description="The schedule, and the number of ticks."),
]


@strawberry.type
class CronQuery:
    @strawberry_field(
        description="A cron by its id, or one of your own crons by its name. Send exactly one of "
        "the two."
    )
    async def cron(
        self,
        info: Info,
        identifier: Annotated[
            strawberry.ID | None, strawberry.argument(name="id", description="The cron's id.")
        ] = UNSET,
        name: Annotated[str | None, strawberry.argument(description="The cron's name.")] = UNSET,
    ) -> Cron | None:
        cron_id, own_name = unset_to_none(identifier), unset_to_none(name)
        if (cron_id is None) == (own_name is None):
            raise BadRequest.at("id", message="send exactly one of id and name", code="exclusive")
        if cron_id is not None:
            return Cron.of(await crons.cron(info.context, argument_id(cron_id, "Cron", "id")))
        return Cron.of(await crons.cron_named(info.context, own_name or ""))

    @strawberry_field(description="Crons, newest first.")
    async def crons(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterCrons = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Cron] | None:
        validated = validate_argument(info, unset_to_none(filter_by) or CronFilter(), "filter")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await crons.crons(info.context, window, validated.enabled, validated.function_name)
        return connection_by_id(page, Cron.of)

    @strawberry_field(
        description="When a schedule runs, if it started now or at `from`. PAYLOAD_TOO_LARGE if "
        "its dates are so rare that finding them takes too long."
    )
    async def preview_cron(self, info: Info, given: PreviewInput) -> list[datetime] | None:
        return await crons.preview_cron(info.context, await _validate_preview(info, given))

    @strawberry_field(
        description="The ticks of a schedule as in `previewCron`, also those that do not run, with "
        "their local times and what clock changes and exclusions do to them."
    )
    async def preview_ticks(self, info: Info, given: PreviewInput) -> list[PlannedTick] | None:
        preview = await _validate_preview(info, given)
        found = await crons.preview_ticks(info.context, preview)
        return [PlannedTick.of(tick, preview.schedule.tz) for tick in found]

    @strawberry_field(description="The calendars that crons can exclude, sorted by name.")
    async def calendars(
        self,
        info: Info,
        first: Annotated[
            int | None,
            strawberry.argument(description="The maximum number of calendars, 1 to 50."),
        ] = calendars.MAX_CALENDARS,
        after: Annotated[
            str | None, strawberry.argument(description="Only calendars with later names.")
        ] = UNSET,
    ) -> list[Calendar] | None:
        limit = calendars.MAX_CALENDARS if first is None else first
        found = await calendars.calendars(info.context, limit, unset_to_none(after) or "")
        return [Calendar.of(each) for each in found]


async def _validate_preview(info: Info, given: PreviewCronInput) -> crons.Preview:
    await crons.check_cronspec(info.context, unset_to_none(given.cronspec))
    return validate_argument(info, given, INPUT).to_plain()
