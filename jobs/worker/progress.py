"""Throttled writes of the progress that running functions report."""

import time
from dataclasses import asdict
from typing import Final

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import ENCODING_ERRORS, Document, MongoError, summarize
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.records import Progress

WRITE_EVERY_S: Final = 0.2  # each write is sent to every subscriber

log = get_log(__name__)


class ProgressReport:
    """The progress of one attempt."""

    def __init__(self, store: JobStore, job_id: str, attempt: int) -> None:
        self._store = store
        self._job_id = job_id
        self._attempt = attempt
        self._unwritten: Document | None = None
        self._written_at = 0.0

    @property
    def unwritten(self) -> Document | None:
        """The buffered progress, to be written with the outcome."""
        return self._unwritten

    async def write(self, progress: Progress) -> None:
        """Write progress, or buffer it if the last write was less than WRITE_EVERY_S ago."""
        await self.buffer(progress)
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            await self._write_now(asdict(progress))

    async def buffer(self, progress: Progress) -> None:
        """Buffer progress for the outcome: a write now would conflict with the transaction."""
        self._unwritten = asdict(progress)

    async def _write_now(self, progress: Document) -> None:
        self._written_at = time.monotonic()
        try:
            await self._store.set_progress(self._job_id, self._attempt, progress)
        except (MongoError, *ENCODING_ERRORS) as error:
            log.warning("progress.not_written", job_id=self._job_id, error=summarize(error))
        else:
            self._unwritten = None
