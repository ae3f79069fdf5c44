"""The client's verbs that change crons or run them outside their schedule."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, Unpack, cast

from ostinato.client.base_client import BaseClient, call
from ostinato.client.cron_options import CronOptions, new_cron
from ostinato.client.options import Args, require_name, to_ms
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.cron_preview import RunChanges
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_runs import Backfill, TickPeriod
from ostinato.jobs.functions.cron_sets import AppliedCrons
from ostinato.jobs.records import CatchUpPolicy, Cron, Job, OverlapPolicy
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.time_rules import Exclusions, FoldPolicy, GapPolicy
from ostinato.resolvers import cron_changes, crons


class CronChanges(TypedDict, total=False):
    """The fields of a cron to change; the others keep their values."""

    name: str
    every: timedelta
    """Replaces a cronspec. The interval counts from the last planned tick."""
    cronspec: str
    """Replaces an interval."""
    tz: str
    function: FunctionRef
    args: Args
    overlap: OverlapPolicy
    catch_up: CatchUpPolicy
    jitter: timedelta
    start_at: datetime | None
    """None removes it, also for the other options that take None."""
    end_at: datetime | None
    tags: Sequence[str]
    on_gap: GapPolicy
    on_fold: FoldPolicy
    exclusions: Exclusions
    max_runs: int | None
    catch_up_window: timedelta | None
    pause_after_failures: int | None
    enabled: bool
    """False pauses the cron, True resumes it."""


CONVERSIONS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
    "name": ("name", lambda value: require_name("name", value)),
    "every": ("interval_ms", to_ms),
    "function": ("function_name", name_of),
    "args": ("args", plain_arguments),
    "jitter": ("jitter_ms", to_ms),
    "catch_up_window": (
        "catch_up_window_ms",
        lambda value: None if value is None else to_ms(value),
    ),
}
"""The fields that the engine names or represents differently."""


class DeclaredCron(CronOptions):
    """A cron of a set: its name, and the options of `register_cron`."""

    name: str


class CronVerbs(BaseClient):
    """Changes crons and runs them outside their schedule.

    Each verb is one transaction. With `expected_version`, it raises VersionConflict and changes
    nothing if the cron has another version, so that it can be repeated after a lost answer.
    """

    async def update_cron(
        self,
        cron_id: str,
        *,
        owner: str | None = None,
        expected_version: int | None = None,
        **changes: Unpack[CronChanges],
    ) -> Cron:
        """Change a cron from its next tick on; equal values change nothing.

        Raises BadRequest, Conflict for a taken name, QuotaExceeded, OwnerSuspended, and
        PreconditionFailed for a cron declared in code or without a tick before its end.
        """
        await crons.check_cronspec(self.context(owner), changes.get("cronspec"))
        patch = patch_of(changes)
        return await self.mutate(
            "updateCron",
            {"cronId": cron_id, "fields": sorted(changes)},
            lambda context: cron_changes.update_cron(context, cron_id, patch, expected_version),
            owner,
        )

    async def preview_cron_change(
        self,
        cron_id: str,
        *,
        owner: str | None = None,
        days: int = cron_changes.DEFAULT_DAYS,
        **changes: Unpack[CronChanges],
    ) -> RunChanges:
        """Return which runs of the next days a change would add, remove and move; raises what
        `update_cron` raises for the cron and its fields."""
        context = self.context(owner)
        await crons.check_cronspec(context, changes.get("cronspec"))
        patch = patch_of(changes)
        return await call(cron_changes.preview_cron_change(context, cron_id, patch, days))

    async def skip_next_run(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> Cron:
        """Skip the next run of a cron, even if it is overdue; raises PreconditionFailed if the cron
        is paused."""
        return await self.mutate(
            "skipNextRun",
            {"cronId": cron_id},
            lambda context: cron_changes.skip_next_run(context, cron_id, expected_version),
            owner,
        )

    async def trigger_cron(
        self,
        cron_id: str,
        key: str | None = None,
        *,
        owner: str | None = None,
        expected_version: int | None = None,
    ) -> Job:
        """Run a cron's function now and return the run; the schedule does not change.

        A repeated call with the same key returns the run of the first one. Raises
        PreconditionFailed if a run has not ended, unless runs may overlap.
        """
        given = None if key is None else require_name("key", key)
        _, job = await self.mutate(
            "triggerCron",
            {"cronId": cron_id, "key": given},
            lambda context: cron_changes.trigger_cron(context, cron_id, given, expected_version),
            owner,
        )
        return job

    async def backfill_cron(
        self,
        cron_id: str,
        start: datetime,
        end: datetime,
        *,
        owner: str | None = None,
        expected_version: int | None = None,
    ) -> Backfill:
        """Run the ticks from `start` to `end`, exclusive, that have not run, each once and now.

        A repeated call starts none of them again. Raises BadRequest at `from` or `to` for a period
        that is too old or has more than 500 ticks.
        """
        between = TickPeriod(start, end)
        return await self.mutate(
            "backfillCron",
            {"cronId": cron_id, "from": start, "to": end},
            lambda context: cron_changes.backfill_cron(context, cron_id, between, expected_version),
            owner,
        )

    async def apply_crons(
        self, managed_by: str, declared: Sequence[DeclaredCron], *, owner: str | None = None
    ) -> AppliedCrons:
        """Make the crons of a set equal to the declared ones, by name; for deployments.

        Creates and changes crons, and deletes those of the set that are not declared. Equal calls
        change nothing. Raises BadRequest with an issue for each wrong field, Conflict for the name
        of a cron outside the set, and QuotaExceeded.
        """
        crons = [new_cron(**each) for each in declared]
        return await self.mutate(
            "applyCrons",
            {"managedBy": managed_by, "crons": [each.name for each in crons]},
            lambda context: cron_changes.apply_crons(context, managed_by, crons),
            owner,
        )


def patch_of(changes: CronChanges) -> CronPatch:
    """Convert changes for the engine; raises BadRequest."""
    converted: dict[str, object] = {}
    for name, value in changes.items():
        api_name, convert = CONVERSIONS.get(name, (name, lambda same: same))
        converted[api_name] = convert(value)
    return cast("CronPatch", converted)
