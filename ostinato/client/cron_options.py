"""The options of a new cron in the Python client. No I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Unpack

from ostinato.client.options import Args, optional_instant, require_name, to_ms
from ostinato.client.schedule_verbs import TimeRules
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.functions.new_cron import DEFAULT_FUNCTION, NewCron
from ostinato.jobs.records import CatchUpPolicy, OverlapPolicy
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.time_rules import NO_EXCLUSIONS, FoldPolicy, GapPolicy


class CronOptions(TimeRules, total=False):
    """The options of `register_cron`: exactly one of `every` and `cronspec`, and others."""

    every: timedelta
    """The interval, 1 s to 5 years."""
    cronspec: str
    function: FunctionRef
    """Default: `tasks.runTask`, which gets the cron's name."""
    args: Args
    overlap: OverlapPolicy
    """What a tick does while the previous run has not ended. Default: SKIP."""
    catch_up: CatchUpPolicy
    """What happens to ticks missed while no worker ran. Default: LATEST."""
    jitter: timedelta
    """Maximum delay of each run, at most a day. Default: 0."""
    start_at: datetime
    """No ticks before this time; aware, before the year 3000. Intervals are counted from it."""
    end_at: datetime
    """No ticks at this time or later, then the cron is paused; aware, later than `start_at`."""
    max_runs: int
    """Pause the cron after so many of its ticks have run, 1 to 1,000,000,000."""
    catch_up_window: timedelta
    """Ticks that are later than this are missed, whatever `catch_up` says: 15 s to 366 days."""
    pause_after_failures: int
    """Pause the cron when so many runs in a row have failed, 1 to 100."""
    tags: Sequence[str]
    """The tags of its jobs: at most 10, of 1 to 64 characters each."""


def new_cron(name: str, **options: Unpack[CronOptions]) -> NewCron:
    """Build a cron to register; raises BadRequest for its name, arguments or times."""
    every, window = options.get("every"), options.get("catch_up_window")
    return NewCron(
        name=require_name("name", name),
        interval_ms=None if every is None else to_ms(every),
        cronspec=options.get("cronspec"),
        tz=options.get("tz", "UTC"),
        function_name=name_of(options.get("function", DEFAULT_FUNCTION)),
        args=plain_arguments(options.get("args", {})),
        overlap=options.get("overlap", OverlapPolicy.SKIP),
        catch_up=options.get("catch_up", CatchUpPolicy.LATEST),
        jitter_ms=to_ms(options.get("jitter", timedelta(0))),
        start_at=optional_instant("startAt", options.get("start_at")),
        end_at=optional_instant("endAt", options.get("end_at")),
        tags=options.get("tags", ()),
        max_runs=options.get("max_runs"),
        catch_up_window_ms=None if window is None else to_ms(window),
        pause_after_failures=options.get("pause_after_failures"),
        on_gap=options.get("on_gap", GapPolicy.NEXT),
        on_fold=options.get("on_fold", FoldPolicy.FIRST),
        exclusions=options.get("exclusions", NO_EXCLUSIONS),
    )
