"""Changes to a cron's definition: what a client may change, and when the cron runs next. No I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict

from ostinato.jobs.documents import schedule_document
from ostinato.jobs.due_ticks import Timetable, last_decided
from ostinato.jobs.functions.new_cron import (
    DEFAULT_FUNCTION,
    NewCron,
    with_default_name,
)
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.passed_ticks import passed_ticks
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cron,
    CronSchedule,
    IntervalSchedule,
    JsonObject,
    OverlapPolicy,
    Schedule,
)
from ostinato.jobs.schedules import first_run
from ostinato.jobs.tags import parse_tags
from ostinato.jobs.time_rules import (
    NO_DAYS,
    ExcludedDays,
    Exclusions,
    FoldPolicy,
    GapPolicy,
    exclusions_document,
)

SCHEDULE_FIELDS: Final = frozenset({"schedule", "startAt", "exclusions"})
"""The stored fields on which the times of ticks depend; `endAt` only ends them."""
LIMIT_FIELDS: Final = frozenset({"jitterMs", "endAt", "maxRuns"})
"""The stored fields on which the delay of the next tick depends, and whether there is one."""


class CronPatch(TypedDict, total=False):
    """The fields to change. Omitted ones keep their values; None removes an optional one."""

    name: str
    interval_ms: int
    """Replaces a cronspec."""
    cronspec: str
    """Replaces an interval."""
    tz: str
    function_name: str
    args: JsonObject
    overlap: OverlapPolicy
    catch_up: CatchUpPolicy
    jitter_ms: int
    start_at: datetime | None
    end_at: datetime | None
    tags: Sequence[str]
    on_gap: GapPolicy
    on_fold: FoldPolicy
    exclusions: Exclusions
    max_runs: int | None
    catch_up_window_ms: int | None
    pause_after_failures: int | None
    enabled: bool


def definition_of(cron: Cron) -> NewCron:
    """Return what would register a cron like this one."""
    schedule = cron.schedule
    return NewCron(
        name=cron.name,
        interval_ms=schedule.ms if isinstance(schedule, IntervalSchedule) else None,
        cronspec=schedule.cronspec if isinstance(schedule, CronSchedule) else None,
        tz=schedule.tz,
        function_name=cron.function_name,
        args=cron.args,
        overlap=cron.overlap,
        catch_up=cron.catch_up,
        jitter_ms=cron.jitter_ms,
        start_at=cron.start_at,
        end_at=cron.end_at,
        tags=cron.tags,
        exclusions=cron.exclusions,
        on_gap=schedule.on_gap if isinstance(schedule, CronSchedule) else GapPolicy.NEXT,
        on_fold=schedule.on_fold if isinstance(schedule, CronSchedule) else FoldPolicy.FIRST,
        max_runs=cron.max_runs,
        catch_up_window_ms=cron.catch_up_window_ms,
        pause_after_failures=cron.pause_after_failures,
    )


def apply_patch(cron: Cron, patch: CronPatch) -> NewCron:
    """Return the definition of a cron after a patch, not validated.

    The argument `name` of the default function follows the cron's name.
    """
    base = definition_of(cron)
    if "interval_ms" in patch:
        base = replace(base, cronspec=None)
    if "cronspec" in patch:
        base = replace(base, interval_ms=None)
    changes: dict[str, Any] = {name: given for name, given in patch.items() if name != "enabled"}
    new = replace(base, **changes)
    if cron.function_name == DEFAULT_FUNCTION and cron.args.get("name") == cron.name != new.name:
        args = {**new.args, "name": new.name} if "args" not in patch else new.args
        new = replace(new, args=args)
    return replace(new, args=with_default_name(new.function_name, new.args, new.name))


def definition_document(new: NewCron, schedule: Schedule, args: JsonObject) -> dict[str, Any]:
    """Return the stored fields of a definition; times have whole milliseconds, as in MongoDB."""
    return {
        "name": new.name,
        "functionName": new.function_name,
        "args": args,
        "schedule": schedule_document(schedule),
        "overlap": new.overlap.value,
        "catchUp": new.catch_up.value,
        "jitterMs": new.jitter_ms,
        "startAt": new.start_at and _in_ms(new.start_at),
        "endAt": new.end_at and _in_ms(new.end_at),
        "tags": list(parse_tags(new.tags)),
        "exclusions": exclusions_document(new.exclusions),
        "maxRuns": new.max_runs,
        "catchUpWindowMs": new.catch_up_window_ms,
        "pauseAfterFailures": new.pause_after_failures,
    }


def changed_fields(found: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields whose stored values differ; 1, 1.0 and true differ in arguments."""
    return {
        name: value for name, value in fields.items() if (_text(found.get(name)) != _text(value))
    }


def first_tick_after_change(
    before: Cron,
    undecided: object,
    after: Cron,
    now: datetime,
    excluded: ExcludedDays = NO_DAYS,
) -> tuple[datetime, datetime]:
    """Return the first tick of a changed schedule later than `now`, and what is decided before it.

    `before` has no tick due; `undecided` is that field of its document, and `excluded` are the days
    of `after`. A new interval counts from the last planned tick of the old schedule, so that the
    change counts at once and repeated changes do not postpone the next tick. With `startAt`, it
    counts from there.
    """
    table, schedule = Timetable.of(after, excluded), after.schedule
    if isinstance(schedule, CronSchedule):
        decided_until = first_run(schedule, now, after.start_at) - MILLISECOND
    else:
        anchor = after.start_at or _last_tick(before, undecided, now)
        decided_until = first_run(schedule, now, anchor) - timedelta(milliseconds=schedule.ms)
    return table.next_tick(decided_until), decided_until


def _last_tick(before: Cron, undecided: object, now: datetime) -> datetime:
    """Return the last planned tick of an interval, or `now` for a cronspec and before the first."""
    if isinstance(before.schedule, CronSchedule):
        return now
    table, decided = Timetable.of(before), last_decided(before, undecided)
    return min(now, passed_ticks(table.schedule, decided, table.before_end(now)).reached)


def _in_ms(instant: datetime) -> datetime:
    in_utc = instant.astimezone(UTC)
    return in_utc.replace(microsecond=in_utc.microsecond // 1000 * 1000)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
