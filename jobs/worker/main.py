"""The worker process: runs a worker until a signal, and restarts it after a lost lease."""

import asyncio
import logging
import os
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.async_tools.cancellation import clear_cancellation
from ostinato.jobs.async_tools.timeouts import wait_for_event
from ostinato.jobs.engine import Engine
from ostinato.jobs.functions.static_crons import sync_static_crons
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import MongoError, is_transient
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import LeaseLost, WorkerRuntime

MIN_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 5.0
STABLE_AFTER_S: Final = 60.0  # a later error is not a failed start
EXIT_TIMEOUT_S: Final = 3.0  # for the interpreter's shutdown and the user's exit handlers
STANDARD_LIBRARY: Final = sysconfig.get_path("stdlib")

log = get_log(__name__)


def run_until_done(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to completion, even if user code calls `sys.exit` or stops the loop.

    Otherwise one function could kill all jobs of the process.
    """
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
    """Run until SIGTERM or SIGINT, then drain.

    After the drain the process exits within EXIT_TIMEOUT_S, even if functions left threads or tasks
    running.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    exit_code = 1
    try:
        await run_worker_until(settings, stop)
        exit_code = 0
    finally:
        threading.Thread(target=_force_exit, args=(exit_code,), name="leave", daemon=True).start()


async def run_worker_until(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set, then drain.

    A worker that was declared lost (suspended, or its event loop blocked, for longer than its
    lease) abandons its jobs and restarts with a new id. So do a worker whose task was canceled by a
    function, and one that MongoDB did not answer while it started.
    """
    backoff = Backoff(MIN_PAUSE_S, MAX_PAUSE_S, stable_s=STABLE_AFTER_S)
    while not stop.is_set():
        await _run_once(settings, stop, backoff)


async def _run_once(settings: Settings, stop: asyncio.Event, backoff: Backoff) -> None:
    started_at = time.monotonic()
    try:
        await run_worker_once(settings, stop)
        backoff.reset()
    except asyncio.CancelledError:  # by a function: signals only set `stop`
        log.error("worker.cancelled")
        await clear_cancellation()
    except (MongoError, TimeoutError) as error:  # an outage while it started
        if not is_transient(error):
            raise
        pause_s = backoff.next_s(time.monotonic() - started_at)
        log.warning("worker.not_started", error=str(error), retry_in_s=pause_s)
        await wait_for_event(stop, pause_s)


async def run_worker_once(settings: Settings, stop: asyncio.Event) -> None:
    """Run a worker until `stop` is set or it has been declared lost."""
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
            await _cancel_and_wait(working)
            await worker.drain()


async def _cancel_and_wait(working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def _sync_static_crons(engine: Engine) -> None:
    specs = list(engine.registry.static_crons.values())
    try:
        await engine.transact(None, lambda ctx: sync_static_crons(ctx, specs))
    except Exception as error:  # the old crons stay in effect; jobs can still run
        if is_transient(error):
            raise
        log.exception("static_crons.not_synced")


def _force_exit(exit_code: int) -> None:
    """Exit the process after EXIT_TIMEOUT_S if non-daemon threads keep it alive."""
    threading.Event().wait(EXIT_TIMEOUT_S)
    try:
        log.warning("worker.threads_still_running", threads=_blocking_threads())
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:  # a flush fails if the stream's reader has exited
        os._exit(exit_code)


def _blocking_threads() -> list[str]:
    """Describe the threads that block the exit, with their locations."""
    frames = sys._current_frames()  # noqa: SLF001 - the only way to see where a thread is
    left = (one for one in threading.enumerate() if not one.daemon)
    return [
        f"{thread.name} at {_location_of(frames[thread.ident])}"
        for thread in left
        if thread is not threading.main_thread() and thread.ident in frames
    ]


def _location_of(frame: FrameType) -> str:
    """Return the innermost frame's location outside the standard library."""
    where: FrameType | None = frame
    while where is not None and where.f_code.co_filename.startswith(STANDARD_LIBRARY):
        where = where.f_back
    place = where or frame
    return f"{place.f_code.co_filename}:{place.f_lineno} in {place.f_code.co_name}"
