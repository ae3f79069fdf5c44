"""Cancels what a job has led to."""

from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.job_trees import Cascade, TreeCanceler
from ostinato.jobs.records import Job

__all__ = ["Cascade", "cancel_descendants"]


async def cancel_descendants(engine: Engine, job: Job, owner: str | None = None) -> Cascade:
    """Cancel the unfinished jobs that a job has led to; `owner` restricts it to their jobs.

    One call cancels a limited number: the result tells whether to repeat it.
    """
    clock_time, retention_ms = await engine.clock.read(), engine.settings.purge_after_ms
    canceler = TreeCanceler(engine.mongo, clock_time, retention_ms, owner)
    cascade = await canceler.cancel_descendants(job)
    if cascade.requested:
        engine.notifier.notify(Signal.CANCEL)
    return cascade
