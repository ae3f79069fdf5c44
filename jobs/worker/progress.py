"""What a running function says of its progress, written at most a few times a second."""

import time
from dataclasses import asdict
from typing import Final

from jobs.mongo.job_store import JobStore
from jobs.records import Progress

WRITE_EVERY_S: Final = 0.2  # faster is not readable, and each write travels to every watcher


class ProgressReport:
    """The progress of one attempt."""

    def __init__(self, store: JobStore, job_id: str, attempt: int) -> None:
        self._store = store
        self._job_id = job_id
        self._attempt = attempt
        self._unwritten: Progress | None = None
        self._written_at = 0.0

    async def write(self, progress: Progress) -> None:
        """Show progress now, or with the next call if the last write was just now."""
        self._unwritten = progress
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            await self.flush()

    async def keep(self, progress: Progress) -> None:
        """Remember progress for `flush`: a mutation's own job must not change under it."""
        self._unwritten = progress

    async def flush(self) -> None:
        """Show what has not been shown yet."""
        if self._unwritten is None:
            return
        progress, self._unwritten = self._unwritten, None
        self._written_at = time.monotonic()
        await self._store.set_progress(self._job_id, self._attempt, asdict(progress))
