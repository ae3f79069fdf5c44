"""The worker process: lives of a worker, one after another, until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final

from ostinato.jobs.async_wait import clear_cancellation
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.static_crons import sync_static_crons
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import is_transient
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import LeaseLost, WorkerRuntime

EXIT_TIMEOUT_S: Final = (
    3.0  # for what the interpreter does at its end, and a user's own exit handlers
)
STANDARD_LIBRARY: Final = sysconfig.get_path("stdlib")

log = get_log(__name__)


def run_until_done(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, though a task or a callback that a function has left exits or
    stops the loop: that would end everybody's jobs."""
    main = loop.create_task(coroutine)
    main.add_done_callback(lambda _: loop.stop())
    while not main.done():
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:  # signals are handled in the loop
            if not main.done():
                log.error("function.exited", error=repr(error))
    main.result()


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then drain.

    A worker that was declared lost (its process was stopped, or its event loop blocked, for
    longer than its lease) drops what it ran and starts anew under another name. So does one whose
    task a function has cancelled. The process ends soon after, whatever threads and tasks the
    functions have left.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    exit_code = 1
    try:
        while not stop.is_set():
            await _run_once(settings, stop)
        exit_code = 0
    finally:
        threading.Thread(target=_force_exit, args=(exit_code,), name="leave", daemon=True).start()


async def _run_once(settings: Settings, stop: asyncio.Event) -> None:
    try:
        await run_worker_once(settings, stop)
    except asyncio.CancelledError:  # signals set `stop`: nobody of ours cancels this
        log.error("worker.cancelled")
        await clear_cancellation()


async def run_worker_once(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set, or the worker has been declared lost."""
    async with WorkerRuntime.open(settings) as worker:
        await _sync_static_crons(worker.engine)
        working = asyncio.create_task(worker.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        except* LeaseLost:
            log.warning("worker.lease_lost", worker_id=worker.id)
            await worker.abandon()
        finally:
            stopping.cancel()
            await _end(working)
            await worker.drain()


async def _end(working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def _sync_static_crons(engine: Engine) -> None:
    specs = list(engine.registry.static_crons.values())
    try:
        await engine.transact(None, lambda ctx: sync_static_crons(ctx, specs))
    except Exception as error:  # they are as they were: no reason to run nothing at all
        if is_transient(error):
            raise
        log.exception("static_crons.not_synced")


def _force_exit(exit_code: int) -> None:
    """End the process if it has not ended by itself, as when it waits for a thread."""
    threading.Event().wait(EXIT_TIMEOUT_S)
    try:
        log.warning("worker.left_running", threads=_blocking_threads())
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:  # whoever read them may have gone
        os._exit(exit_code)


def _blocking_threads() -> list[str]:
    """Describe the threads that an exit waits for, and where they are."""
    frames = sys._current_frames()  # noqa: SLF001 - the only way to see where a thread is
    left = (one for one in threading.enumerate() if not one.daemon)
    return [
        f"{thread.name} at {_location_of(frames[thread.ident])}"
        for thread in left
        if thread is not threading.main_thread() and thread.ident in frames
    ]


def _location_of(frame: FrameType) -> str:
    """Return where a thread waits: the innermost line that is not of the standard library's."""
    where: FrameType | None = frame
    while where is not None and where.f_code.co_filename.startswith(STANDARD_LIBRARY):
        where = where.f_back
    place = where or frame
    return f"{place.f_code.co_filename}:{place.f_lineno} in {place.f_code.co_name}"
