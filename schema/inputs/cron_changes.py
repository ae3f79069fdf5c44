"""Inputs of the mutations that change crons or run them outside their schedule."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Final, TypeAlias, cast

import strawberry
from pydantic import Field
from strawberry import UNSET

from ostinato.jobs.declarations import to_camel_case
from ostinato.jobs.errors import Issue
from ostinato.jobs.exclusions import exclusion_issues
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_sets import MAX_SET
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.records import CatchUpPolicy, OverlapPolicy
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from ostinato.resolvers.cron_changes import DEFAULT_DAYS, MAX_DAYS
from ostinato.schema.inputs.calendars import ExclusionsInput, exclusions_of
from ostinato.schema.inputs.crons import RegisterCronInput
from ostinato.schema.inputs.limits import (
    EXPECTED_VERSION,
    CatchUpWindow,
    CronId,
    Jitter,
    JsonObject,
    MaxFailures,
    MaxRuns,
    Name,
    Tags,
)
from ostinato.schema.inputs.validation import SummarizedInput
from ostinato.schema.scalars import Milliseconds

NOT_CHANGES: Final = frozenset({"cron_id", "expected_version", "days"})
DeclaredCrons: TypeAlias = Annotated[list[RegisterCronInput], Field(max_length=MAX_SET)]
PreviewDays: TypeAlias = Annotated[int, Field(ge=1, le=MAX_DAYS)]
REMOVABLE: Final = frozenset(
    {"start_at", "end_at", "exclusions", "max_runs", "catch_up_window_ms", "pause_after_failures"}
)
"""Fields that null removes."""


@strawberry.input(
    description="The cron to change, and the fields to change. Omitted fields keep their values."
)
class UpdateCronInput:
    cron_id: CronId = strawberry.field(description="The cron's id.")
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)
    name: Name | None = strawberry.field(
        default=UNSET, description="Its new name: unique among your crons, 1 to 200 characters."
    )
    interval_ms: Milliseconds | None = strawberry.field(
        default=UNSET,
        description="Tick at this interval, 1000 (a second) to 5 years, counted from the last "
        "planned tick. Replaces a `cronspec`.",
    )
    cronspec: str | None = strawberry.field(
        default=UNSET,
        description="Tick at these times, as in `registerCron`. Replaces an `intervalMs`.",
    )
    tz: str | None = strawberry.field(default=UNSET, description="The IANA time zone.")
    function_name: Name | None = strawberry.field(
        default=UNSET, description="The function to run at each tick."
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET, description="All arguments of the function: an object of at most 64 KiB."
    )
    overlap: OverlapPolicy | None = strawberry.field(
        default=UNSET,
        description="What a tick does while the previous run has not ended. Ticks that are queued "
        "already still run, one after the other.",
    )
    catch_up: CatchUpPolicy | None = strawberry.field(
        default=UNSET,
        description="What happens to ticks that no worker ran in time.",
    )
    jitter_ms: Jitter | None = strawberry.field(
        default=UNSET, description="The maximum delay of each run: 0 to 86400000 (a day)."
    )
    start_at: datetime | None = strawberry.field(
        default=UNSET, description="No ticks before this time; null removes it."
    )
    end_at: datetime | None = strawberry.field(
        default=UNSET, description="No ticks at this time or later; null removes it."
    )
    tags: Tags | None = strawberry.field(
        default=UNSET,
        description="The tags of the jobs that it creates: at most 10, of 1 to 64 characters each.",
    )
    on_gap: GapPolicy | None = strawberry.field(
        default=UNSET, description="What happens to fixed times that the clocks skip."
    )
    on_fold: FoldPolicy | None = strawberry.field(
        default=UNSET, description="In which pass of fixed times that the clocks repeat it runs."
    )
    exclusions: ExclusionsInput | None = strawberry.field(
        default=UNSET,
        description="All days on which it does not run; null removes them.",
    )
    max_runs: MaxRuns | None = strawberry.field(
        default=UNSET,
        description="Pause the cron after so many of its ticks have run; null removes it.",
    )
    catch_up_window_ms: CatchUpWindow | None = strawberry.field(
        default=UNSET,
        description="Ticks that are later than this are missed, whatever `catchUp` says: 15000 to "
        "31622400000 (366 days); null removes it.",
    )
    pause_after_failures: MaxFailures | None = strawberry.field(
        default=UNSET,
        description="Pause the cron when so many runs in a row have failed: 1 to 100; null "
        "removes it.",
    )
    enabled: bool | None = strawberry.field(
        default=UNSET,
        description="False pauses the cron, true resumes it. A cron that has ended needs true to "
        "run again.",
    )

    def issues(self) -> Iterator[Issue]:
        for name in _changed(self):
            if name not in REMOVABLE and getattr(self, name) is None:
                api_name = to_camel_case(name)
                message = f"{api_name} cannot be null: omit it to keep its value"
                yield Issue(path=(api_name,), message=message, code="null")
        yield from exclusion_issues(exclusions_of(self.exclusions))

    def to_patch(self, validated: "UpdateCronInput") -> CronPatch:
        """Return the changes, with the values of the validated input."""
        changes = {name: getattr(validated, name) for name in _changed(self)}
        if "exclusions" in changes:
            changes["exclusions"] = exclusions_of(self.exclusions)
        return cast("CronPatch", changes)


@strawberry.input(
    description="The cron, the changes to preview, as in `updateCron`, and the period."
)
class PreviewCronChangeInput(UpdateCronInput):
    days: PreviewDays = strawberry.field(
        default=DEFAULT_DAYS, description="The length of the period from now, 1 to 366 days."
    )


def _changed(given: UpdateCronInput) -> list[str]:
    names = [each.name for each in fields(given)]
    return [name for name in names if name not in NOT_CHANGES and getattr(given, name) is not UNSET]


@strawberry.input(description="The cron, and the period whose ticks to run.")
class BackfillCronInput:
    cron_id: CronId = strawberry.field(description="The cron's id.")
    from_: datetime = strawberry.field(
        name="from",
        description="The start of the period, inclusive; within the time for which outcomes of "
        "ticks are kept (OSTINATO_CRON_TICK_RETENTION_MS).",
    )
    to: datetime = strawberry.field(
        description="The end of the period, exclusive. It has at most 500 ticks."
    )
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)


@strawberry.input(
    description="A set of crons: those of its name that are not declared are deleted."
)
class ApplyCronsInput(SummarizedInput):
    managed_by: Name = strawberry.field(
        description="The name of the set, 1 to 200 characters; it does not start with @."
    )
    crons: DeclaredCrons = strawberry.field(description="All crons of the set, at most 100.")

    def recorded(self) -> dict[str, object]:
        """Return the name of the set and the names of its crons, for the audit log."""
        return {"managedBy": self.managed_by, "crons": [each.name for each in self.crons]}

    def to_plain(self) -> list[NewCron]:
        """Convert the validated crons for the use case."""
        return [each.to_plain() for each in self.crons]


@strawberry.input(description="The cron to run now.")
class TriggerCronInput:
    cron_id: CronId = strawberry.field(description="The cron's id.")
    key: Name | None = strawberry.field(
        default=UNSET,
        description="An idempotency key: a repeated call with the same key returns the job of the "
        "first one, while that job is retained. 1 to 200 characters.",
    )
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)
