"""Checks manual retries, new due times and bulk actions. Pure."""

from collections import Counter
from collections.abc import Iterator

from benchmarks.chaos.history import History
from benchmarks.chaos.operations import BULK, Kind, Operation
from benchmarks.chaos.timelines import retries
from ostinato.jobs.bulk_actions import BulkActionKind, BulkActionState, BulkOutcome
from ostinato.jobs.records import Job, JobState


def matching_ids(history: History, kind: Kind) -> set[str]:
    """Return the jobs that match the filter of a bulk action that may have been started."""
    filters = [
        call.request.input["tags"]
        for call in history.operations
        if call.request.kind is kind and not call.has_failed
    ]
    return {job.id for job in history.jobs.values() if any([*job.tags] == one for one in filters)}


def manual_retries(history: History) -> Iterator[str]:
    """A job is retried only on request, and each retry that was acknowledged is on a timeline."""
    calls = Counter[str]()
    acknowledged = Counter[str]()
    for call in history.operations:
        if call.request.kind is Kind.RETRY and not call.has_failed:
            job_id = str(call.request.input["jobId"])
            calls[job_id] += 1
            acknowledged[job_id] += call.is_ok
    in_bulk = matching_ids(history, Kind.RETRY_JOBS)
    for job in history.jobs.values():
        found = retries(job)
        if found < acknowledged[job.id]:
            yield f"{job.id} was retried {found} times, acknowledged {acknowledged[job.id]} times"
        if found > calls[job.id] and job.id not in in_bulk:
            yield f"{job.id} was retried {found} times, requested {calls[job.id]} times"
    counted = _outcomes(history, BulkActionKind.RETRY_JOBS)[BulkOutcome.RETRIED]
    total = sum(map(retries, history.jobs.values()))
    if not counted + acknowledged.total() <= total <= counted + calls.total():
        yield (
            f"the timelines contain {total} retries: bulk actions count {counted}, "
            f"and {acknowledged.total()} of {calls.total()} calls were acknowledged"
        )


def due_times(history: History) -> Iterator[str]:
    """Each acknowledged change of a due time is on the timeline, and no other."""
    calls = Counter[str]()
    acknowledged = Counter[str]()
    for call in history.operations:
        if call.request.kind is Kind.RESCHEDULE and not call.has_failed:
            job_id = str(call.request.input["jobId"])
            calls[job_id] += 1
            acknowledged[job_id] += call.is_ok
    in_bulk = matching_ids(history, Kind.RESCHEDULE_JOBS)
    for job in history.jobs.values():
        found = _changes_of_due_time(job)
        is_requested = found <= calls[job.id] or job.id in in_bulk
        if found < acknowledged[job.id] or not is_requested:
            yield (
                f"{job.id} was rescheduled {found} times: {acknowledged[job.id]} of "
                f"{calls[job.id]} calls were acknowledged"
            )
    counted = _outcomes(history, BulkActionKind.RESCHEDULE_JOBS)[BulkOutcome.RESCHEDULED]
    total = sum(map(_changes_of_due_time, history.jobs.values()))
    if not counted + acknowledged.total() <= total <= counted + calls.total():
        yield (
            f"the timelines contain {total} new due times: bulk actions count {counted}, "
            f"and {acknowledged.total()} of {calls.total()} calls were acknowledged"
        )


def bulk_actions(history: History) -> Iterator[str]:
    """Each acknowledged bulk action exists and has changed what it counts; no other exists."""
    calls = [call for call in history.operations if call.request.kind in BULK]
    known = {action.id: action for action in history.bulk_actions}
    for call in calls:
        if call.is_ok and str(call.answer.value["bulkAction"]) not in known:
            yield f"the bulk action of operation {call.number} was acknowledged but is gone"
    if len(known) > sum(not call.has_failed for call in calls):
        yield f"there are {len(known)} bulk actions, and only {len(calls)} calls"
    for action in known.values():
        counted = sum(each.count for each in action.outcomes)
        if action.state is not BulkActionState.DONE or counted != action.processed:
            yield f"{action.kind} {action.id} is {action.state}: {action.outcomes}"
    yield from _cancellations(history)


def _cancellations(history: History) -> Iterator[str]:
    """As many jobs were canceled or asked to stop as the calls and the bulk actions say."""
    outcomes = _outcomes(history, BulkActionKind.CANCEL_JOBS)
    counted = outcomes[BulkOutcome.CANCELED] + outcomes[BulkOutcome.CANCEL_REQUESTED]
    calls = [call for call in history.operations if call.request.kind is Kind.CANCEL]
    total = sum(_cancellations_of(job) for job in history.jobs.values() if not job.internal)
    if total < counted:
        yield f"bulk actions count {counted} cancellations, and the timelines contain {total}"
    if not calls and total > counted:
        yield f"the timelines contain {total} cancellations: bulk actions count {counted}"


def _cancellations_of(job: Job) -> int:
    """Return how often a pending job was canceled, or a running one was asked to stop."""
    return sum(
        (event.from_state, event.state)
        in (
            (JobState.PENDING, JobState.CANCELED),
            (JobState.IN_PROGRESS, JobState.IN_PROGRESS),
        )
        for event in job.timeline
    )


def _changes_of_due_time(job: Job) -> int:
    return sum(event.from_state is event.state is JobState.PENDING for event in job.timeline)


def _outcomes(history: History, kind: BulkActionKind) -> Counter[BulkOutcome]:
    found = Counter[BulkOutcome]()
    for action in history.bulk_actions:
        if action.kind is kind:
            found.update({each.outcome: each.count for each in action.outcomes})
    return found


def many_jobs(history: History) -> Iterator[str]:
    """A call of `scheduleJobs` creates all of its jobs, or none."""
    for call in history.operations:
        if call.request.kind is Kind.SCHEDULE_MANY and not call.is_ok:
            created = [bool(history.jobs_by_mark.get(mark)) for mark in _marks(call)]
            if any(created) and not all(created):
                yield f"operation {call.number} created {sum(created)} of {len(created)} jobs"


def _marks(call: Operation) -> Iterator[str]:
    jobs = call.request.input["jobs"]
    assert isinstance(jobs, list)
    for job in jobs:
        assert isinstance(job, dict)
        args = job["args"]
        assert isinstance(args, dict)
        yield str(args["mark"])
