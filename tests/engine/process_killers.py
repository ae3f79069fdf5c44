"""Functions that kill or freeze their process, for worker processes only."""

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
MORE_THREADS_THAN_A_POOL = 100
abandoned: list["asyncio.Future[None]"] = []
KILLED_COMMANDS = {"commitTransaction"}


@mutation(public=True, name="functions.waitInMutation")
async def wait_in_mutation(ctx: Context, name: str) -> None:
    """Write; unless the file exists, create it and hang inside the transaction."""
    await ctx.db["effects"].update_one({"_id": name}, {"$inc": {"times": 1}}, upsert=True)
    if not Path(name).exists():
        Path(name).touch()
        await asyncio.Event().wait()


@action(public=True, name="functions.freeze")
async def freeze(ctx: Context, name: str) -> str:
    """Stop the process with SIGSTOP; return a result if it is continued."""
    Path(name).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return "stale"


@mutation(public=True, name="functions.killProcess")
async def kill_process(ctx: Context, when: str, name: str) -> None:
    """Insert an effect; in the first attempt, kill the process before, during or after commit."""
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "name": name})
    await ctx.scheduler.run_after(AN_HOUR_MS, "functions.echo", {"value": name})
    if ctx.job.attempt == 1:
        if when == "before":
            _kill_process()
        process_killer.when = when


@action(public=True, name="functions.killAtNextCommit")
async def kill_at_next_commit(ctx: Context, when: str) -> None:
    """Kill the process `during` or `after` the commit of its next transaction."""
    process_killer.when = when


@action(public=True, name="functions.killProcessInAction")
async def kill_process_in_action(ctx: Context) -> None:
    """Kill the process in every attempt."""
    _kill_process()


@mutation(public=True, name="functions.killProcessAlways")
async def kill_process_always(ctx: Context) -> None:
    """Kill the process in every attempt."""
    _kill_process()


@action(public=True, name="functions.leaveThreads")
async def leave_threads(ctx: Context, kind: str) -> None:
    """Leave threads that never end, for which the interpreter waits on exit."""
    if kind == "thread":
        threading.Thread(target=_wait_forever).start()
    elif kind == "pool":
        ThreadPoolExecutor().submit(_wait_forever)
    else:
        wait = asyncio.get_running_loop().run_in_executor
        abandoned.extend(wait(None, _wait_forever) for _ in range(MORE_THREADS_THAN_A_POOL))


@action(public=True, name="functions.leaveExit")
async def leave_exit(ctx: Context, behavior: str) -> str:
    """Exit or stop the loop outside of the call."""
    loop = asyncio.get_running_loop()
    if behavior == "task":
        abandoned.append(asyncio.ensure_future(_exit()))
    elif behavior == "callback":
        loop.call_soon(sys.exit, 5)
    else:
        loop.stop()
    later = loop.create_future()
    loop.call_later(0.05, later.set_result, None)
    await later
    return "survived"


async def _exit() -> None:
    sys.exit(9)


def _wait_forever() -> None:
    threading.Event().wait()


def _kill_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class ProcessKiller(monitoring.CommandListener):
    """Kills the process when a commit is sent (`during`) or has succeeded (`after`)."""

    when: str | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.when == "during" and event.command_name in KILLED_COMMANDS:
            _kill_process()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if self.when == "after" and event.command_name in KILLED_COMMANDS:
            _kill_process()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore failed commands."""


process_killer = ProcessKiller()
monitoring.register(process_killer)
