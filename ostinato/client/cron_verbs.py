"""The client's verbs for crons."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypedDict, Unpack, cast

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.cron_options import CronOptions, new_cron
from ostinato.client.options import Args, optional_instant, require_name, to_ms
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.cron_preview import RunChanges
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_runs import Backfill, TickPeriod
from ostinato.jobs.functions.cron_sets import AppliedCrons
from ostinato.jobs.paging import Page
from ostinato.jobs.records import CatchUpPolicy, Cron, Job, OverlapPolicy
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.time_rules import Exclusions, FoldPolicy, GapPolicy
from ostinato.resolvers import cron_changes, cron_ticks, crons
from ostinato.resolvers.cron_ticks import CronHealth


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
    "start_at": ("start_at", partial(optional_instant, "startAt")),
    "end_at": ("end_at", partial(optional_instant, "endAt")),
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
    """Registers, reads and changes crons, and runs them outside their schedule.

    `owner` is the user for whom a verb acts, as for jobs; None creates objects of the system. A
    function must be imported in this process. Each verb is one transaction. With
    `expected_version`, it raises VersionConflict and changes nothing if the cron has another
    version, so that it can be repeated after a lost answer. Errors name the fields as the GraphQL
    API does (`intervalMs`). Verbs that create raise BadRequest, OwnerSuspended and QuotaExceeded;
    verbs that take an id raise NotFound.
    """

    async def register_cron(
        self, name: str, *, owner: str | None = None, **options: Unpack[CronOptions]
    ) -> Cron:
        """Register a cron, which creates a job at each tick; raises Conflict for a taken name."""
        await crons.check_cronspec(self.context(owner), options.get("cronspec"))
        new = new_cron(name, **options)
        return await self.mutate(
            "registerCron", new, lambda context: crons.register_cron(context, new), owner
        )

    async def pause_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> Cron:
        """Pause a cron until it is resumed."""
        return await self.mutate(
            "pauseCron",
            {"cronId": cron_id},
            lambda context: crons.pause_cron(context, cron_id, expected_version),
            owner,
        )

    async def resume_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> Cron:
        """Resume a cron from now; raises OwnerSuspended, or PreconditionFailed after its end."""
        return await self.mutate(
            "resumeCron",
            {"cronId": cron_id},
            lambda context: crons.resume_cron(context, cron_id, expected_version),
            owner,
        )

    async def delete_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a cron; its jobs remain."""
        await self.mutate(
            "deleteCron",
            {"cronId": cron_id},
            lambda context: crons.delete_cron(context, cron_id, expected_version),
            owner,
        )

    async def cron(self, cron_id: str, *, owner: str | None = None) -> Cron:
        """Read a cron."""
        return await call(crons.cron(self.context(owner), cron_id))

    async def cron_named(self, name: str, *, owner: str | None = None) -> Cron:
        """Read the cron of an owner, or of the system, with this name."""
        found = crons.cron_named(self.context(owner), require_name("name", name))
        return await call(found)

    async def crons(
        self,
        *,
        owner: str | None = None,
        enabled: bool | None = None,
        first: int = 100,
        after: Cron | None = None,
    ) -> Page[Cron]:
        """Read a page of up to 1,000 crons, newest first."""
        window = page_window(first, after)
        return await call(crons.crons(self.context(owner), window, enabled, None))

    async def cron_ticks(
        self,
        cron_id: str,
        *,
        owner: str | None = None,
        first: int = 100,
        after: CronTick | None = None,
    ) -> Page[CronTick]:
        """Read a page of up to 1,000 records of a cron's ticks, newest first.

        A deleted cron has them until they expire; that of another owner has none.
        """
        window = page_window(first, after)
        return await call(cron_ticks.cron_ticks(self.context(owner), cron_id, window))

    async def cron_health(self, cron_id: str, *, owner: str | None = None) -> CronHealth:
        """Read how a cron has done: failures in a row, its newest tick and its lateness.

        `health.cron.tick_counts` are its planned ticks by outcome.
        """
        context = self.context(owner)
        return await call(cron_ticks.cron_health(context, await crons.cron(context, cron_id)))

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
        """Return which runs of the next 1 to 366 days a change would add, remove and move.

        Raises BadRequest for other `days`, and what `update_cron` raises for the cron and its
        fields.
        """
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

        A repeated call with the same key returns the run of the first one. Raises OwnerSuspended,
        QuotaExceeded, and PreconditionFailed if a run has not ended, unless runs may overlap.
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
        """Run the ticks from `start` to `end`, exclusive, that have not run, each once.

        They run at once; under overlap QUEUE one after another. A repeated call starts none of
        them again. Raises BadRequest at `from` or `to` for a period
        that is too old or has more than 500 ticks, OwnerSuspended, QuotaExceeded, and
        PreconditionFailed if a run has not ended, unless runs may overlap.
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
        new = [new_cron(**each) for each in declared]
        return await self.mutate(
            "applyCrons",
            {"managedBy": managed_by, "crons": [each.name for each in new]},
            lambda context: cron_changes.apply_crons(context, managed_by, new),
            owner,
        )


def patch_of(changes: CronChanges) -> CronPatch:
    """Convert changes for the engine; raises BadRequest."""
    converted: dict[str, object] = {}
    for name, value in changes.items():
        api_name, convert = CONVERSIONS.get(name, (name, lambda same: same))
        converted[api_name] = convert(value)
    return cast("CronPatch", converted)
