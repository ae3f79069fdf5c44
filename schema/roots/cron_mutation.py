"""The mutations that change crons, or run them outside their schedule."""

import strawberry

from ostinato.jobs.functions.cron_runs import TickPeriod
from ostinato.jobs.functions.cron_sets import MAX_SET
from ostinato.resolvers import cron_changes, crons
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.inputs.cron_changes import (
    ApplyCronsInput,
    BackfillCronInput,
    TriggerCronInput,
    UpdateCronInput,
)
from ostinato.schema.inputs.crons import CronIdInput
from ostinato.schema.roots.batch_mutation import BatchMutation
from ostinato.schema.roots.mutation import Input
from ostinato.schema.roots.root_fields import run_use_case
from ostinato.schema.types.payloads import (
    ApplyCronsPayload,
    BackfillCronPayload,
    CronPayload,
    TriggerCronPayload,
)


@strawberry.type(
    name="Mutation",
    description="Changes objects. Every mutation returns the object that it changed.",
)
class CronMutation(BatchMutation):
    @strawberry_field(
        description="Change a cron. Ticks that are due already run as they were planned; the "
        "change counts for those after it. PRECONDITION_FAILED if it is declared in code, or has "
        "no tick before its `endAt`."
    )
    async def update_cron(self, info: Info, given: Input[UpdateCronInput]) -> CronPayload | None:
        await crons.check_cronspec(info.context, unset_to_none(given.cronspec))
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: cron_changes.update_cron(
                ctx, data.cron_id, given.to_patch(data), data.expected_version
            ),
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Skip the next run of a cron, even if it is overdue: the tick after it is "
        "next. Without `expectedVersion`, a repeated call skips another one. PRECONDITION_FAILED "
        "if the cron is paused."
    )
    async def skip_next_run(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: cron_changes.skip_next_run(ctx, data.cron_id, data.expected_version),
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Run a cron's function now, outside its schedule, also if it is paused; "
        "`nextRunTime` stays. PRECONDITION_FAILED if a run has not ended and `overlap` is not "
        "ALLOW."
    )
    async def trigger_cron(
        self, info: Info, given: Input[TriggerCronInput]
    ) -> TriggerCronPayload | None:
        record, job = await run_use_case(
            info,
            given,
            lambda ctx, data: cron_changes.trigger_cron(
                ctx, data.cron_id, data.key, data.expected_version
            ),
        )
        return TriggerCronPayload.of(record, job)

    @strawberry_field(
        description="Run the ticks of a past period that have not run, by the cron's current "
        "schedule, each once: at once, or one after another if `overlap` is QUEUE. A repeated call "
        "starts none of them again."
    )
    async def backfill_cron(
        self, info: Info, given: Input[BackfillCronInput]
    ) -> BackfillCronPayload | None:
        done = await run_use_case(
            info,
            given,
            lambda ctx, data: cron_changes.backfill_cron(
                ctx, data.cron_id, TickPeriod(data.from_, data.to), data.expected_version
            ),
        )
        return BackfillCronPayload.of(done)

    @strawberry_field(
        description="Make your crons of a set equal to the declared ones, by name: creates, "
        "changes and deletes crons. For deployments: equal calls change nothing. CONFLICT if a "
        "cron outside the set has one of the names."
    )
    async def apply_crons(
        self, info: Info, given: Input[ApplyCronsInput]
    ) -> ApplyCronsPayload | None:
        cronspecs = (unset_to_none(each.cronspec) for each in given.crons[:MAX_SET])
        await crons.check_cronspec(info.context, *cronspecs)
        applied = await run_use_case(
            info,
            given,
            lambda ctx, data: cron_changes.apply_crons(ctx, data.managed_by, data.to_plain()),
        )
        return ApplyCronsPayload.of(applied)
