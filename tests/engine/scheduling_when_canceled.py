"""An action that schedules a job after it was canceled or has lost its job."""

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action
from tests.engine.functions import calls, echo, gate, schedule_many


@action(public=True, name="functions.scheduleWhenCanceled")
async def schedule_when_canceled(ctx: Context, directly: bool, number: int = 1) -> None:
    """Wait at the gate, then schedule a job even if canceled."""
    try:
        await gate.pass_through()
    finally:
        await _schedule_late(ctx, directly, number)


async def _schedule_late(ctx: Context, directly: bool, number: int) -> None:
    try:
        if directly:
            await ctx.scheduler.run_after(0, echo, {"value": "late"})
        else:
            await ctx.run_mutation(schedule_many, {"number": number})
    except Exception as error:
        calls.append(type(error).__name__)
        raise
