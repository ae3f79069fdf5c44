"""The client's verbs for bulk actions."""

from datetime import datetime, timedelta

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import job_filter, parse_due_time
from ostinato.jobs.bulk_actions import BulkAction, filter_document
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.paging import Page
from ostinato.resolvers import bulk_actions


class BulkVerbs(BaseClient):
    """Changes all jobs or failures that match a filter and exist now, in the background.

    They are those of `owner`, or of the filter's owner; without both, those of all owners. Each is
    changed once. Verbs that start raise BadRequest, OwnerSuspended and QuotaExceeded.
    """

    async def cancel_jobs(self, which: JobFilter, *, owner: str | None = None) -> BulkAction:
        """Start to cancel the pending and running jobs that match."""
        chosen = job_filter(which)
        return await self.mutate(
            "cancelJobs",
            filter_document(chosen),
            lambda context: bulk_actions.cancel_jobs(context, chosen),
            owner,
        )

    async def retry_jobs(self, which: JobFilter, *, owner: str | None = None) -> BulkAction:
        """Start to retry the failed and canceled jobs that match."""
        chosen = job_filter(which)
        return await self.mutate(
            "retryJobs",
            filter_document(chosen),
            lambda context: bulk_actions.retry_jobs(context, chosen),
            owner,
        )

    async def reschedule_jobs(
        self,
        which: JobFilter,
        *,
        run_at: datetime | None = None,
        run_after: timedelta | None = None,
        owner: str | None = None,
    ) -> BulkAction:
        """Start to change when the pending jobs that match are due: at `run_at`, or after
        `run_after` from now, which is the same instant for all of them."""
        change = parse_due_time(run_at, run_after, None)
        chosen = job_filter(which)
        return await self.mutate(
            "rescheduleJobs",
            {**filter_document(chosen), "runAt": run_at, "runAfterMs": change.run_after_ms},
            lambda context: bulk_actions.reschedule_jobs(context, chosen, change),
            owner,
        )

    async def resolve_failures(
        self, which: FailureFilter, *, owner: str | None = None
    ) -> BulkAction:
        """Start to resolve the open failures that match."""
        return await self.mutate(
            "resolveFailures",
            filter_document(which),
            lambda context: bulk_actions.resolve_failures(context, which),
            owner,
        )

    async def retry_failures(self, which: FailureFilter, *, owner: str | None = None) -> BulkAction:
        """Start to retry the jobs of the open failures that match."""
        return await self.mutate(
            "retryFailures",
            filter_document(which),
            lambda context: bulk_actions.retry_failures(context, which),
            owner,
        )

    async def cancel_bulk_action(
        self, bulk_action_id: str, *, owner: str | None = None
    ) -> BulkAction:
        """Stop a bulk action; raises NotFound, or PreconditionFailed if it has ended."""
        return await self.mutate(
            "cancelBulkAction",
            {"bulkActionId": bulk_action_id},
            lambda context: bulk_actions.cancel_bulk_action(context, bulk_action_id),
            owner,
        )

    async def bulk_action(self, bulk_action_id: str, *, owner: str | None = None) -> BulkAction:
        """Read a bulk action; raises NotFound."""
        return await call(bulk_actions.bulk_action(self.context(owner), bulk_action_id))

    async def bulk_actions(
        self, *, owner: str | None = None, first: int = 100, after: BulkAction | None = None
    ) -> Page[BulkAction]:
        """Read a page of up to 1,000 bulk actions, newest first."""
        window = page_window(first, after)
        return await call(bulk_actions.bulk_actions(self.context(owner), window))
