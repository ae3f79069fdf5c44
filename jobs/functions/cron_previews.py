"""Previews a change of a cron: the runs that it adds, removes and moves.

The next ticks are computed by the functions that the change itself uses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import tick_counts_from
from ostinato.jobs.cron_preview import RunChanges, RunPlan, compare_runs
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import Timetable, decide_ticks, last_decided, next_tick_fields
from ostinato.jobs.functions.calendars import read_excluded_days, require_calendar
from ostinato.jobs.functions.cron_changes import require_editable
from ostinato.jobs.functions.cron_checks import (
    find_cron,
    now_after_ticks,
    require_run_after,
    require_runnable,
    within_end,
)
from ostinato.jobs.functions.cron_patch import (
    SCHEDULE_FIELDS,
    CronPatch,
    apply_patch,
    changed_fields,
    definition_document,
    first_tick_after_change,
)
from ostinato.jobs.functions.new_cron import validate_cron
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.records import Cron, IntervalSchedule
from ostinato.jobs.schedules import first_run
from ostinato.jobs.time_rules import NO_DAYS, ExcludedDays


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A cron before and after a change at `now`."""

    before: Cron
    undecided: object
    ran: int = 0
    """How many ticks have run."""
    after: Cron
    moves_ticks: bool
    now: datetime
    excluded_before: ExcludedDays = NO_DAYS
    excluded_after: ExcludedDays = NO_DAYS

    def compare(self, period: timedelta) -> Iterator[RunChanges]:
        """Compare the runs of a period from now; see `compare_runs`.

        Raises PreconditionFailed if the changed cron has no run before its end, or none left.
        """
        decided_until, ran = last_decided(self.before, self.undecided), self.ran
        if self.before.enabled:
            table = Timetable.of(self.before, self.excluded_before)
            due = decide_ticks(table, decided_until, self.now, self.before.catch_up)
            decided_until = due.decided_until
            ran += len(due.runs)
        before = _plan(self.before, self.excluded_before, decided_until, ran)
        after = self._plan_after(decided_until, ran)
        yield from compare_runs(before, after, self.now + period)

    def _plan_after(self, decided_until: datetime, ran: int) -> RunPlan | None:
        if not self.after.enabled:
            return None
        require_run_after(self.after, ran)
        if not self.before.enabled:
            first = first_run(self.after.schedule, self.now, self.after.start_at)
            decided_until = first - _step(self.after)
        elif self.moves_ticks:
            _, decided_until = first_tick_after_change(
                self.before, self.undecided, self.after, self.now, self.excluded_after
            )
        table = Timetable.of(self.after, self.excluded_after)
        fields = next_tick_fields(table.next_tick(decided_until), decided_until)
        if self.moves_ticks:
            require_runnable(fields)
        within_end(fields["nextRunTime"], self.after.end_at)
        return _plan(self.after, self.excluded_after, decided_until, ran)


async def plan_change(
    ctx: Context, cron_id: str, patch: CronPatch, expected_version: int | None = None
) -> PlannedChange:
    """Validate a change like `update_cron`, without making it; quotas are not checked."""
    found = await find_cron(ctx, cron_id, expected_version)
    require_editable(found)
    before = cron_from(found)
    new = apply_patch(before, patch)
    schedule = validate_cron(new)
    args = ctx.registry.resolve(new.function_name).bind(new.args)
    changed = changed_fields(found, definition_document(new, schedule, args))
    if "exclusions" in changed:
        await require_calendar(ctx, new.exclusions)
    enabled = patch.get("enabled", before.enabled)
    return PlannedChange(
        before=before,
        undecided=found.get("undecided"),
        ran=tick_counts_from(found).ran,
        after=cron_from(found | changed | {"enabled": enabled}),
        excluded_before=await read_excluded_days(ctx, before.exclusions),
        excluded_after=await read_excluded_days(ctx, new.exclusions),
        moves_ticks=bool(SCHEDULE_FIELDS & changed.keys()),
        now=await now_after_ticks(ctx, found),
    )


def _plan(cron: Cron, excluded: ExcludedDays, decided_until: datetime, ran: int) -> RunPlan | None:
    if not cron.enabled:
        return None
    limit = None if cron.max_runs is None else cron.max_runs - ran
    table = Timetable.of(cron, excluded)
    return RunPlan(table=table, decided_until=decided_until, limit=limit)


def _step(cron: Cron) -> timedelta:
    """Return how long before a tick the schedule is decided, to keep the phase of an interval."""
    if isinstance(cron.schedule, IntervalSchedule):
        return timedelta(milliseconds=cron.schedule.ms)
    return MILLISECOND
