"""Runs the five patterns against a running server and prints each change as it arrives.

    make run          # in one terminal
    make demo         # in another

You can kill the worker with `kill -9`, or flush Valkey, while it runs.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import httpx
from demo_lines import show_batch, show_call, show_cron, show_job, show_request, title
from live_client import Client, Data, GraphQLError, Server
from websockets.exceptions import WebSocketException

DEADLINE_S = 60
HANDLER_HINT = (
    "is a @request_handler registered? It also receives the requests of the demo: start the "
    "server without its module"
)
RUN = uuid4().hex[:6]

JOBS_CHANGED = """
subscription ($filter: JobFilter) {
  jobsChanged(filter: $filter) {
    kind event { state attempt at error { message } }
    job { functionName args result scheduledTime }
  }
}"""


class UnexpectedError(Exception):
    """A pattern did not end as expected."""


async def print_until(
    changes: AsyncIterator[Data], is_last: Callable[[Data], bool], show: Callable[[Data], None]
) -> Data:
    """Print changes until one satisfies `is_last`, and return it."""
    async for change in changes:
        show(change)
        if is_last(change):
            return change
    raise GraphQLError("the subscription ended")


async def wait_until_ready(changes: AsyncIterator[Data]) -> None:
    """Wait until the subscription is live: every later change will be received."""
    await print_until(changes, lambda change: change["kind"] == "READY", lambda _: None)


async def of_this_run(changes: AsyncIterator[Data]) -> AsyncIterator[Data]:
    """Skip jobs that this run of the demo did not create."""
    async for change in changes:
        if change["job"] and RUN in str(change["job"]["args"]):
            yield change


def successes(count: int) -> Callable[[Data], bool]:
    """Return a check that passes at the given number of successes."""
    left = iter(range(count - 1, -1, -1))

    def is_last(change: Data) -> bool:
        return bool(change["event"]) and change["event"]["state"] == "SUCCESS" and next(left) == 0

    return is_last


async def crons_created_at_run_time(client: Client) -> None:
    """Register a cron at run time, watch three ticks, then pause, resume and delete it."""
    name = f"every second {RUN}"
    document = "subscription { cronsChanged { kind cronId cron { name enabled nextRunTime } } }"
    async with (
        client.subscribe(JOBS_CHANGED, filter={"cause": "CRON"}) as jobs,
        client.subscribe(document) as crons,
    ):
        await wait_until_ready(jobs)
        await wait_until_ready(crons)
        registered = await client.call(
            "mutation ($input: RegisterCronInput!) { registerCron(input: $input) { cronId } }",
            input={"name": name, "intervalMs": 1000},
        )
        cron_id = registered["registerCron"]["cronId"]

        def show(change: Data) -> None:
            if change["cronId"] == cron_id:
                show_cron(change)

        def is_deleted(change: Data) -> bool:
            return change["kind"] == "LEFT" and bool(change["cronId"] == cron_id)

        async def tick_and_end() -> None:
            await print_until(of_this_run(jobs), successes(3), show_job)
            for operation in ("pauseCron", "resumeCron", "deleteCron"):
                field = f"{operation}(input: $input) {{ cronId }}"
                mutation = f"mutation ($input: CronIdInput!) {{ {field} }}"
                await client.call(mutation, input={"cronId": cron_id})

        await asyncio.gather(print_until(crons, is_deleted, show), tick_and_end())


async def recurring_task(client: Client) -> None:
    """Start a recurring task, watch three runs, and stop it."""
    async with client.subscribe(JOBS_CHANGED, filter={"cause": "RECURRING"}) as jobs:
        await wait_until_ready(jobs)
        await client.call(
            "mutation ($input: StartRecurringTaskInput!)"
            " { startRecurringTask(input: $input) { taskId } }",
            input={"taskId": f"report {RUN}", "intervalMs": 1000},
        )
        await print_until(of_this_run(jobs), successes(3), show_job)
        await client.call(
            "mutation ($input: TaskIdInput!) { stopRecurringTask(input: $input) { taskId } }",
            input={"taskId": f"report {RUN}"},
        )


async def rate_limited_batch(client: Client) -> None:
    """Add 250 items and process them, 100 a page, a page every half second."""
    for start in range(0, 250, 50):
        await client.call(
            "mutation ($input: AddItemsInput!) { addItems(input: $input) { added } }",
            input={"items": [{"number": start + offset} for offset in range(50)]},
        )
    started = await client.call(
        "mutation ($input: StartBatchInput!) { startBatch(input: $input) { batchId } }",
        input={"batchSize": 100, "delayMs": 500},
    )
    document = """
    subscription ($id: ID!) {
      batchChanged(batchId: $id) { kind batch { state processed remaining itemsPerSecond } }
    }"""
    async with client.subscribe(document, id=started["startBatch"]["batchId"]) as batches:
        await print_until(
            batches,
            lambda change: bool(change["batch"]) and change["batch"]["state"] == "DONE",
            show_batch,
        )


async def timeouts(client: Client) -> None:
    """Create a request that is completed in time, and one that is not."""
    create = """
    mutation ($input: CreateWithTimeoutInput!) {
      createWithTimeout(input: $input) { requestId }
    }"""
    document = """
    subscription ($id: ID!) { requestChanged(requestId: $id) { kind request { state result } } }
    """
    in_time, too_late = {"question": 42}, {"question": 43, "delayMs": 4_000}
    cases = ((in_time, 10_000, "COMPLETED"), (too_late, 1_000, "TIMEOUT"))
    for data, timeout_ms, state in cases:
        created = await client.call(create, input={"data": data, "timeoutMs": timeout_ms})
        request_id = created["createWithTimeout"]["requestId"]
        async with client.subscribe(document, id=request_id) as requests:
            ended = await print_until(
                requests,
                lambda change: bool(change["request"]) and change["request"]["state"] != "PENDING",
                show_request,
            )
        if (found := ended["request"]["state"]) != state:
            raise UnexpectedError(f"a request ended as {found}, not as {state}: {HANDLER_HINT}.")


async def retry_with_backoff(client: Client) -> None:
    """Call an API that fails twice, with retries after 1 s and 2 s; each call is a job."""
    url = f"{client.server.flaky_url}?key={RUN}&failures=2"
    function = "actions.retryableAction"
    async with client.subscribe(JOBS_CHANGED, filter={"functionName": function}) as jobs:
        await wait_until_ready(jobs)
        await client.call(
            "mutation ($input: ScheduleJobInput!) { scheduleJob(input: $input) { jobId } }",
            input={"functionName": function, "args": {"data": {"url": url}}},
        )

        def has_response(change: Data) -> bool:
            ended = bool(change["event"]) and change["event"]["state"] == "SUCCESS"
            return ended and bool(change["job"]["result"])

        await print_until(of_this_run(jobs), has_response, show_call)


PATTERNS: dict[str, Callable[[Client], Awaitable[None]]] = {
    "1: a cron created at run time": crons_created_at_run_time,
    "2: a recurring task": recurring_task,
    "3: a rate-limited batch": rate_limited_batch,
    "4: requests with a timeout": timeouts,
    "5: retry with exponential backoff": retry_with_backoff,
}


async def main() -> None:
    async with Client.open(Server.running()) as client:
        for name, pattern in PATTERNS.items():
            title(name)
            async with asyncio.timeout(DEADLINE_S):
                await pattern(client)
    title("All five patterns have run.")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TimeoutError:
        sys.exit(f"The demo ended early: this pattern did not finish within {DEADLINE_S} s.")
    except UnexpectedError as error:
        sys.exit(f"The demo ended early: {error}")
    except (GraphQLError, OSError, httpx.HTTPError, WebSocketException) as error:
        sys.exit(f"The demo ended early: {type(error).__name__}: {error}")
