"""Functions that kill or freeze their process: for real workers only, never for a test's own."""

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pymongo import monitoring

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation

AN_HOUR_MS = 3_600_000
MORE_THAN_A_POOL_HAS = 100
left_alone: list["asyncio.Future[None]"] = []
KILLED_COMMANDS = {"commitTransaction"}


@mutation(public=True, name="functions.waitInMutation")
async def wait_in_mutation(ctx: Context, name: str) -> None:
    """Write and, unless the file is there, make it and hang inside the transaction for ever."""
    await ctx.db["effects"].update_one({"_id": name}, {"$inc": {"times": 1}}, upsert=True)
    if not Path(name).exists():
        Path(name).touch()
        await asyncio.Event().wait()


@action(public=True, name="functions.freeze")
async def freeze(ctx: Context, name: str) -> str:
    """At the first attempt, stop the whole process as SIGSTOP does; then try to succeed."""
    Path(name).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return "stale"


@mutation(public=True, name="functions.die")
async def die(ctx: Context, when: str, name: str) -> None:
    """Have one effect; at the first attempt, kill the process before, during or after commit."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    await ctx.scheduler.run_after(AN_HOUR_MS, "functions.echo", {"value": name})
    if ctx.job.attempt == 1:
        if when == "before":
            _die()
        assassin.when = when


@action(public=True, name="functions.dieOutside")
async def die_outside(ctx: Context) -> None:
    """Kill the process, each time."""
    _die()


@mutation(public=True, name="functions.dieAlways")
async def die_always(ctx: Context) -> None:
    """Kill the process, each time."""
    _die()


@action(public=True, name="functions.leaveThreads")
async def leave_threads(ctx: Context, kind: str) -> None:
    """Leave threads that never end, and that an exit of the interpreter waits for."""
    if kind == "thread":
        threading.Thread(target=_wait_for_ever).start()
    elif kind == "pool":
        ThreadPoolExecutor().submit(_wait_for_ever)
    else:
        wait = asyncio.get_running_loop().run_in_executor
        left_alone.extend(wait(None, _wait_for_ever) for _ in range(MORE_THAN_A_POOL_HAS))


@action(public=True, name="functions.leaveExit")
async def leave_exit(ctx: Context, behavior: str) -> str:
    """Exit or stop the loop outside of the call."""
    loop = asyncio.get_running_loop()
    if behavior == "task":
        left_alone.append(asyncio.ensure_future(_exit()))
    elif behavior == "callback":
        loop.call_soon(sys.exit, 5)
    else:
        loop.stop()
    later = loop.create_future()
    loop.call_later(0.05, later.set_result, None)
    await later
    return "lived"


async def _exit() -> None:
    sys.exit(9)


def _wait_for_ever() -> None:
    threading.Event().wait()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Assassin(monitoring.CommandListener):
    """Kills the process around a commit: `during` it is on its way, `after` it has happened."""

    when: str | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.when == "during" and event.command_name in KILLED_COMMANDS:
            _die()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if self.when == "after" and event.command_name in KILLED_COMMANDS:
            _die()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore failed commands."""


assassin = Assassin()
monitoring.register(assassin)
