"""The worker process: lives of a worker, one after another, until it is told to stop."""

import asyncio
import signal

from jobs.engine import Engine
from jobs.functions.static_crons import sync_static_crons
from jobs.logs import get_log
from jobs.settings import Settings
from jobs.worker.worker import Deposed, Worker

log = get_log(__name__)


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then drain.

    A worker that was declared lost (its process was stopped, or its event loop blocked, for
    longer than its lease) drops what it ran and starts anew under another name.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    while not stop.is_set():
        await live_once(settings, stop)


async def live_once(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set, or the worker has been declared lost."""
    async with Worker.open(settings) as worker:
        await _sync_static_crons(worker.engine)
        working = asyncio.create_task(worker.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        except* Deposed:
            log.warning("worker.deposed", worker_id=worker.id)
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
    await engine.transact(None, lambda ctx: sync_static_crons(ctx, specs))
