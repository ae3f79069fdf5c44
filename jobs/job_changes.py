"""What clients change about stored jobs and failures: retries, due times, resolutions."""

from dataclasses import dataclass
from datetime import datetime

from ostinato.jobs.arq_queue.notifier import NOTIFY_WITHIN, Notifier, Signal
from ostinato.jobs.clock import Clock
from ostinato.jobs.errors import Conflict, NotFound, PreconditionFailed
from ostinato.jobs.lifecycle import MAX_ATTEMPTS, MAX_EVENTS, TransitionName, is_allowed
from ostinato.jobs.mongo.job_documents import StoredJob
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.mongo.manual_changes import ManualChanges
from ostinato.jobs.mongo.stored_json import size_bytes
from ostinato.jobs.quotas.owner_quotas import OwnerQuotas
from ostinato.jobs.records import Failure, Job, JobState, JsonObject
from ostinato.jobs.registry import registry, retention_ms_of
from ostinato.jobs.settings import Settings


@dataclass(frozen=True, slots=True)
class JobChanges:
    """The changes of one process; the callers check access."""

    store: JobStore
    manual: ManualChanges
    clock: Clock
    quotas: OwnerQuotas
    notifier: Notifier
    settings: Settings

    async def retry(
        self, job_id: str, args: JsonObject | None = None, by: str | None = None
    ) -> Job:
        """Make a failed or canceled job pending again, due now, with a new set of attempts and,
        if given, other arguments; delete its failure. `by` is the user who asked for it.

        Raises NotFound, QuotaExceeded, or PreconditionFailed in any other state."""
        clock_time = await self.clock.read()
        before = await self.store.find(job_id)
        if before is not None:
            require_attempts_left(before)
        with self.quotas.reserve(before.owner if before else None) as reservation:
            if before is not None:
                added_bytes = 0 if args is None else size_bytes(args)
                await reservation.add_stored_job(before.size_bytes + added_bytes)
            retried = await self.manual.retry(job_id, clock_time, args, by)
        if retried is None:
            raise await self._why_not(TransitionName.MANUAL_RETRY, job_id, "retried")
        self.notifier.notify(Signal.DUE)
        return retried.record()

    async def reschedule(
        self, job_id: str, due: datetime, expected_version: int | None = None
    ) -> Job:
        """Change when a pending job is due.

        A worker that has its id starts it only when it is due. Raises NotFound, PreconditionFailed
        in any other state, and Conflict if its version is not the expected one.
        """
        clock_time = await self.clock.read()
        changed = await self.manual.reschedule(job_id, due, clock_time, expected_version)
        if changed is None:
            found = await self.store.find(job_id)
            if found is not None and expected_version not in (None, found.version):
                raise Conflict(
                    f"the job has version {found.version}, not {expected_version}: it was changed "
                    "in the meantime"
                )
            raise await self._why_not(TransitionName.RESCHEDULE, job_id, "rescheduled")
        if due - await self.clock.now() < NOTIFY_WITHIN:
            self.notifier.notify(Signal.DUE)
        return changed.record()

    async def resolve(self, failure: Failure) -> Failure:
        """Resolve an open failure; its job is then purged after its retention period.

        Raises PreconditionFailed if the failure is already resolved, and NotFound if its job was
        retried in the meantime.
        """
        if failure.resolved_at is not None:
            raise PreconditionFailed("the failure has already been resolved")
        clock_time = await self.clock.read()
        function = registry.get(failure.function_name)
        retention_ms = retention_ms_of(function, self.settings)
        resolved = await self.manual.resolve_failure(failure.id, retention_ms, clock_time)
        if resolved is None:
            raise NotFound("the failure was resolved in the meantime, or its job was retried")
        return resolved

    async def _why_not(self, name: TransitionName, job_id: str, verb: str) -> PreconditionFailed:
        state = await state_of(self.store, job_id)
        if not is_allowed(name, state):
            return cannot(verb, state)
        events = await self.store.count_events(job_id)
        return PreconditionFailed(
            f"the job has {events} of at most {MAX_EVENTS} events in its timeline, too many "
            "for another set of attempts: schedule a new job"
        )


def require_attempts_left(job: StoredJob) -> None:
    """Raise PreconditionFailed if another set of attempts would exceed the limit."""
    if job.attempt + job.retries >= MAX_ATTEMPTS:
        raise PreconditionFailed(
            f"the job has started {job.attempt} times; {MAX_ATTEMPTS} attempts are "
            "allowed in total: schedule a new one"
        )


async def state_of(store: JobStore, job_id: str, owner: str | None = None) -> JobState:
    """Return the state of a job, of `owner` if given; raises NotFound."""
    found = await store.find(job_id)
    if found is None or (owner is not None and found.owner != owner):
        raise NotFound("there is no such job")
    return found.state


def cannot(what: str, state: JobState) -> PreconditionFailed:
    """Build the error for a change that a job's state does not allow."""
    return PreconditionFailed(f"the job is {state.value}: it cannot be {what}")
