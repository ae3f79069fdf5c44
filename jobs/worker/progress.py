"""What a running function says of its progress, written at most a few times a second."""

import time
from dataclasses import asdict
from typing import Final

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import ENCODING_ERRORS, Document, MongoError, summarize
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.records import Progress

WRITE_EVERY_S: Final = 0.2  # faster is not readable, and each write travels to every watcher

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
        """What has not been shown yet; the write that ends the attempt shows it."""
        return self._unwritten

    async def write(self, progress: Progress) -> None:
        """Show progress now, or with the next call if the last write was just now."""
        await self.keep(progress)
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            await self._show(asdict(progress))

    async def keep(self, progress: Progress) -> None:
        """Remember progress for the end: a mutation's own job must not change under it."""
        self._unwritten = asdict(progress)

    async def _show(self, progress: Document) -> None:
        self._written_at = time.monotonic()
        try:
            await self._store.set_progress(self._job_id, self._attempt, progress)
        except (MongoError, *ENCODING_ERRORS) as error:
            log.warning("progress.not_written", job_id=self._job_id, error=summarize(error))
        else:
            self._unwritten = None
