"""The root fields of bulk actions and of groups of failures."""

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime
from typing import Annotated, Protocol, TypeAlias, TypeVar

import strawberry
from strawberry import UNSET

from ostinato.jobs import bulk_actions as records
from ostinato.jobs import filters
from ostinato.resolvers import bulk_actions, failures
from ostinato.resolvers.audit import MutationCall, run_audited
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live import subscription_sources
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.schema.fields import (
    Info,
    strawberry_field,
    strawberry_subscription,
    unset_to_none,
)
from ostinato.schema.ids import argument_id
from ostinato.schema.inputs.filters import FailureFilter, JobFilter
from ostinato.schema.inputs.limits import Delay
from ostinato.schema.inputs.scheduling import (
    BulkActionIdInput,
    NewTime,
)
from ostinato.schema.inputs.validation import validate_input
from ostinato.schema.pagination import (
    BY_LAST_FAILURE,
    After,
    Before,
    Connection,
    First,
    Last,
    PageRequest,
    connection_by_id,
)
from ostinato.schema.roots.cron_mutation import CronMutation
from ostinato.schema.roots.cron_ticks import CronTicksQuery, CronTicksSubscription
from ostinato.schema.roots.mutation import Input
from ostinato.schema.roots.query import FilterFailures
from ostinato.schema.roots.root_fields import (
    IdArgument,
    issues_below,
    run_use_case,
    selects,
    validate_argument,
)
from ostinato.schema.roots.subscription import AfterCursor, Snapshot
from ostinato.schema.types.bulk_action import BulkAction
from ostinato.schema.types.changes import BulkActionChange
from ostinato.schema.types.failure import FailureGroup, group_connection
from ostinato.schema.types.payloads import BulkActionPayload

FILTER = "filter"
OF_JOBS = (
    "Only what exists now is changed, your own jobs unless an admin's filter has an `owner`, and "
    "no internal jobs. QUOTA_EXCEEDED if too many of your bulk actions are running."
)
OF_FAILURES = (
    "Only failures that exist now are changed, your own unless an admin's filter has an `owner`. "
    "QUOTA_EXCEEDED if too many of your bulk actions are running."
)
JobsToChange: TypeAlias = Annotated[
    JobFilter, strawberry.argument(name=FILTER, description="Conditions that the jobs must match.")
]
FailuresToChange: TypeAlias = Annotated[
    FailureFilter,
    strawberry.argument(name=FILTER, description="Conditions that the failures must match."),
]
RunAt: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="When the jobs run, at most 5 years from now; a time in the past means "
        "immediately. Send exactly one of `runAt` and `runAfterMs`."
    ),
]
RunAfter: TypeAlias = Annotated[
    Delay | None, strawberry.argument(description="The delay from now: 0 to 5 years.")
]
P = TypeVar("P", filters.JobFilter, filters.FailureFilter)
P_co = TypeVar("P_co", covariant=True)


class FilterInput(Protocol[P_co]):
    """A filter of the API."""

    def to_plain(self) -> P_co: ...


UseCase: TypeAlias = Callable[[RequestContext, P], Awaitable[records.BulkAction]]


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class BulkActionQuery(CronTicksQuery):
    @strawberry_field(description="A bulk action by its id.")
    async def bulk_action(self, info: Info, identifier: IdArgument) -> BulkAction | None:
        document_id = argument_id(identifier, "BulkAction", "id")
        return BulkAction.of(await bulk_actions.bulk_action(info.context, document_id))

    @strawberry_field(description="Bulk actions, newest first.")
    async def bulk_actions(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[BulkAction] | None:
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await bulk_actions.bulk_actions(info.context, window)
        return connection_by_id(page, BulkAction.of)

    @strawberry_field(
        description="Similar failures of each function, those that failed last first. Groups the "
        "10,000 newest failures that match."
    )
    async def failure_groups(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterFailures = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[FailureGroup] | None:
        which = validate_argument(info, unset_to_none(filter_by) or FailureFilter(), FILTER)
        request = PageRequest(first=first, after=after, last=last, before=before)
        window = request.window(BY_LAST_FAILURE)
        page = await failures.failure_groups(info.context, which.to_plain(), window)
        return group_connection(page)


@strawberry.type(
    name="Mutation",
    description="Changes objects. Every mutation returns the object that it changed.",
)
class BulkActionMutation(CronMutation):
    @strawberry_field(
        description="Cancel the pending and running jobs that match, in the background. " + OF_JOBS
    )
    async def cancel_jobs(self, info: Info, which: JobsToChange) -> BulkActionPayload | None:
        return await _start_with(info, which, bulk_actions.cancel_jobs)

    @strawberry_field(
        description="Retry the failed and canceled jobs that match, in the background. " + OF_JOBS
    )
    async def retry_jobs(self, info: Info, which: JobsToChange) -> BulkActionPayload | None:
        return await _start_with(info, which, bulk_actions.retry_jobs)

    @strawberry_field(
        description="Change when the pending jobs that match are due, in the background: at "
        "`runAt`, or after `runAfterMs` from now, which is the same instant for all of them. "
        + OF_JOBS
    )
    async def reschedule_jobs(
        self, info: Info, which: JobsToChange, run_at: RunAt = UNSET, run_after_ms: RunAfter = UNSET
    ) -> BulkActionPayload | None:
        times = {"runAt": unset_to_none(run_at), "runAfterMs": unset_to_none(run_after_ms)}

        async def reschedule(ctx: RequestContext, plain: filters.JobFilter) -> records.BulkAction:
            change = validate_input(NewTime(run_at, run_after_ms)).to_plain()
            return await bulk_actions.reschedule_jobs(ctx, plain, change)

        return await _start_with(info, which, reschedule, **times)

    @strawberry_field(
        description="Resolve the open failures that match, in the background. " + OF_FAILURES
    )
    async def resolve_failures(
        self, info: Info, which: FailuresToChange
    ) -> BulkActionPayload | None:
        return await _start_with(info, which, bulk_actions.resolve_failures)

    @strawberry_field(
        description="Retry the jobs of the open failures that match, in the background: they get "
        "another set of attempts, and their failures are deleted. " + OF_FAILURES
    )
    async def retry_failures(self, info: Info, which: FailuresToChange) -> BulkActionPayload | None:
        return await _start_with(info, which, bulk_actions.retry_failures)

    @strawberry_field(
        description="Stop a bulk action. What it has changed stays changed. PRECONDITION_FAILED if "
        "it has ended."
    )
    async def cancel_bulk_action(
        self, info: Info, given: Input[BulkActionIdInput]
    ) -> BulkActionPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: bulk_actions.cancel_bulk_action(ctx, data.bulk_action_id),
        )
        return BulkActionPayload.of(record)


@strawberry.type(
    name="Subscription",
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent.",
)
class BulkActionSubscription(CronTicksSubscription):
    @strawberry_subscription(description="Bulk actions.")
    def bulk_actions_changed(
        self, info: Info, snapshot: Snapshot = False, after: AfterCursor = UNSET
    ) -> AsyncIterable[BulkActionChange | None]:
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            wants_object=selects(info, "bulkAction"),
        )
        query = subscription_sources.bulk_actions_changed(info.context, options)
        return query.map(BulkActionChange.of)


async def _start_with(
    info: Info, which: FilterInput[P], start: UseCase[P], **options: object
) -> BulkActionPayload:
    """Start a bulk action; `options` are the other arguments of the field."""

    async def run() -> records.BulkAction:
        plain = validate_argument(info, which, FILTER).to_plain()
        with issues_below(FILTER, options):
            return await start(info.context, plain)

    given = {name: value for name, value in options.items() if value is not None}
    call = MutationCall(info.field_name, which, given)
    return BulkActionPayload.of(await run_audited(info.context, call, run))
