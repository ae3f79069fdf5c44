"""The Query root."""

from typing import Annotated, TypeAlias

import strawberry
from strawberry import UNSET

from ostinato.jobs import filters
from ostinato.resolvers import (
    admin,
    audit,
    batches,
    failures,
    functions,
    recurring,
    requests,
    revocations,
    scheduling,
)
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.ids import argument_id
from ostinato.schema.inputs.admin import AuditFilter, FilterAudit
from ostinato.schema.inputs.filters import FailureFilter, JobFilter
from ostinato.schema.inputs.tasks_batches_requests import BatchFilter, RequestFilter
from ostinato.schema.pagination import (
    BY_REVOCATION,
    BY_SUSPENSION,
    After,
    Before,
    Connection,
    First,
    Last,
    PageRequest,
    connection_by_id,
)
from ostinato.schema.roots.cron_query import CronQuery
from ostinato.schema.roots.root_fields import IdArgument, find_node, validate_argument
from ostinato.schema.types.admin import (
    AuditEntry,
    Owner,
    Queue,
    TokenRevocation,
    Worker,
    owner_connection,
    revocation_connection,
)
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job, cursor_order, job_connection
from ostinato.schema.types.record_proxy import Node
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request
from ostinato.schema.types.viewer import Function, Viewer

FilterJobs = Annotated[
    JobFilter | None,
    strawberry.argument(
        name="filter",
        description="Conditions that jobs must match. If omitted, all but internal jobs.",
    ),
]
FilterFailures: TypeAlias = Annotated[
    FailureFilter | None,
    strawberry.argument(
        name="filter",
        description="Conditions that failures must match. If omitted, all open failures.",
    ),
]
FilterRequests: TypeAlias = Annotated[
    RequestFilter | None,
    strawberry.argument(name="filter", description="Conditions that requests must match."),
]
FilterBatches: TypeAlias = Annotated[
    BatchFilter | None,
    strawberry.argument(name="filter", description="Conditions that batches must match."),
]
OrderJobs = Annotated[
    filters.JobOrder | None,
    strawberry.argument(description="The order; `NEWEST` if omitted."),
]


@strawberry.type(description="Reads your own objects (all objects for admins).")
class Query(CronQuery):
    @strawberry_field(description="An object of any type by its id.")
    async def node(self, info: Info, identifier: IdArgument) -> Node | None:
        return await find_node(info.context, identifier)

    @strawberry_field(description="The authenticated user.")
    def viewer(self, info: Info) -> Viewer | None:
        return Viewer.of(info.context.viewer)

    @strawberry_field(description="A job by its id.")
    async def job(self, info: Info, identifier: IdArgument) -> Job | None:
        return Job.of(await scheduling.job(info.context, argument_id(identifier, "Job", "id")))

    @strawberry_field(description="Jobs, newest first by default.")
    async def jobs(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterJobs = UNSET,
        order_by: OrderJobs = filters.JobOrder.NEWEST,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Job] | None:
        order = order_by or filters.JobOrder.NEWEST
        validated = validate_argument(
            info, unset_to_none(filter_by) or JobFilter(), "filter"
        ).to_plain()
        paging = PageRequest(info=info, first=first, after=after, last=last, before=before)
        window = paging.window(cursor_order(order))
        return job_connection(await scheduling.jobs(info.context, validated, order, window), order)

    @strawberry_field(description="One of your own recurring tasks by its `taskId`.")
    async def recurring_task(
        self,
        info: Info,
        task_id: Annotated[
            str, strawberry.argument(description="The task's id, chosen by its owner.")
        ],
    ) -> RecurringTask | None:
        return RecurringTask.of(await recurring.recurring_task(info.context, task_id))

    @strawberry_field(description="Recurring tasks, newest first.")
    async def recurring_tasks(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[RecurringTask] | None:
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        return connection_by_id(
            await recurring.recurring_tasks(info.context, window), RecurringTask.of
        )

    @strawberry_field(description="A batch by its id.")
    async def batch(self, info: Info, identifier: IdArgument) -> Batch | None:
        return Batch.of(await batches.batch(info.context, argument_id(identifier, "Batch", "id")))

    @strawberry_field(description="Batches, newest first.")
    async def batches(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterBatches = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Batch] | None:
        which = validate_argument(info, unset_to_none(filter_by) or BatchFilter(), "filter")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await batches.batches(info.context, window, which.to_plain())
        return connection_by_id(page, Batch.of)

    @strawberry_field(description="A request by its id.")
    async def request(self, info: Info, identifier: IdArgument) -> Request | None:
        return Request.of(
            await requests.request(info.context, argument_id(identifier, "Request", "id"))
        )

    @strawberry_field(description="Requests, newest first.")
    async def requests(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterRequests = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Request] | None:
        which = validate_argument(info, unset_to_none(filter_by) or RequestFilter(), "filter")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await requests.requests(info.context, window, which.to_plain())
        return connection_by_id(page, Request.of)

    @strawberry_field(
        description="Failures of jobs that failed on their last attempt, newest first; without a "
        "filter, the open ones."
    )
    async def failures(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterFailures = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Failure] | None:
        which = validate_argument(info, unset_to_none(filter_by) or FailureFilter(), "filter")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await failures.failures(info.context, window, which.to_plain())
        return connection_by_id(page, Failure.of)

    @strawberry_field(
        description="The functions that you may use (all functions for admins), sorted by name."
    )
    def functions(self, info: Info) -> list[Function] | None:
        return [Function.of(entry) for entry in functions.list_functions(info.context)]

    @strawberry_field(
        description="The queues with a running worker, with pending jobs, or that were ever paused "
        "or resumed, sorted by name. Admins only."
    )
    async def queues(
        self,
        info: Info,
        first: Annotated[
            int | None,
            strawberry.argument(description="The maximum number of queues, 1 to 100."),
        ] = admin.MAX_QUEUES,
        after: Annotated[
            str | None, strawberry.argument(description="Only queues with names after this name.")
        ] = UNSET,
    ) -> list[Queue] | None:
        limit = admin.MAX_QUEUES if first is None else first
        found = await admin.queues(info.context, limit, unset_to_none(after) or "")
        return [Queue.of(entry) for entry in found]

    @strawberry_field(
        description="What is known of a user; of an unknown one, only the id. Admins only."
    )
    async def owner(
        self,
        info: Info,
        identifier: Annotated[
            strawberry.ID,
            strawberry.argument(name="id", description="The user's id: the `sub` of the tokens."),
        ],
    ) -> Owner | None:
        return Owner.of(await admin.owner(info.context, identifier))

    @strawberry_field(description="The suspended users, newest suspension first. Admins only.")
    async def suspended_owners(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Owner] | None:
        request = PageRequest(first=first, after=after, last=last, before=before)
        page = await admin.suspended_owners(info.context, request.window(BY_SUSPENSION))
        return owner_connection(page)

    @strawberry_field(description="The calls of mutations, newest first. Admins only.")
    async def audit_log(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterAudit = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[AuditEntry] | None:
        validated = validate_argument(info, unset_to_none(filter_by) or AuditFilter(), "filter")
        window = PageRequest(first=first, after=after, last=last, before=before).window()
        page = await audit.audit_log(info.context, validated.to_plain(), window)
        return connection_by_id(page, AuditEntry.of)

    @strawberry_field(
        description="All registered workers, oldest first, as of their latest heartbeat. A lost "
        "worker disappears within seconds. Admins only."
    )
    async def workers(self, info: Info) -> list[Worker] | None:
        return [Worker.of(entry) for entry in await admin.workers(info.context)]

    @strawberry_field(description="The revocations of tokens, newest first. Admins only.")
    async def token_revocations(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[TokenRevocation] | None:
        request = PageRequest(first=first, after=after, last=last, before=before)
        page = await revocations.token_revocations(info.context, request.window(BY_REVOCATION))
        return revocation_connection(page)
