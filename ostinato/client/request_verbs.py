"""The client's verbs for requests."""

from datetime import datetime, timedelta

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import plain_json, require_instant, require_text, to_ms
from ostinato.jobs.functions.answers import MAX_ERROR_CHARS
from ostinato.jobs.paging import Page
from ostinato.jobs.records import Request, RequestState
from ostinato.resolvers import requests


class RequestVerbs(BaseClient):
    """Creates, answers, reads and changes requests.

    `owner` is the user for whom a verb acts, as in `CronVerbs`. The verbs that answer, extend or
    cancel raise NotFound, and PreconditionFailed if the request has ended.
    """

    async def create_with_timeout(
        self,
        data: object,
        *,
        owner: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
        run_handler: bool = True,
    ) -> Request:
        """Create a request of JSON data, which ends once: completed, failed, canceled or timed out.

        Without `run_handler`, it waits for `complete_request` or `reject_request`.
        """
        plain = plain_json(data, "data")
        timeout_ms = to_ms(timeout)
        return await self.mutate(
            "createWithTimeout",
            {"timeoutMs": timeout_ms, "runHandler": run_handler},
            lambda context: requests.create_with_timeout(
                context, plain, timeout_ms, run_handler=run_handler
            ),
            owner,
        )

    async def complete_request(
        self, request_id: str, result: object = None, *, owner: str | None = None
    ) -> Request:
        """Answer a request with JSON; after its timeout, the result becomes its late answer."""
        plain = plain_json(result, "result")
        return await self.mutate(
            "completeRequest",
            {"requestId": request_id},
            lambda context: requests.complete_request(context, request_id, plain),
            owner,
        )

    async def reject_request(
        self, request_id: str, error: str, *, owner: str | None = None
    ) -> Request:
        """Fail a request with an error of 1 to 1,000 characters; late as `complete_request`."""
        message = require_text("error", error, MAX_ERROR_CHARS)
        return await self.mutate(
            "rejectRequest",
            {"requestId": request_id},
            lambda context: requests.reject_request(context, request_id, message),
            owner,
        )

    async def extend_request(
        self,
        request_id: str,
        timeout: timedelta | None = None,
        *,
        until: datetime | None = None,
        owner: str | None = None,
    ) -> Request:
        """Set the timeout of a pending request: from now, or at an aware time."""
        timeout_ms = None if timeout is None else to_ms(timeout)
        instant = None if until is None else require_instant("until", until)
        given: dict[str, object] = {"requestId": request_id}
        given |= {"until": instant} if timeout_ms is None else {"timeoutMs": timeout_ms}
        return await self.mutate(
            "extendRequest",
            given,
            lambda context: requests.extend_request(context, request_id, timeout_ms, instant),
            owner,
        )

    async def cancel_request(self, request_id: str, *, owner: str | None = None) -> Request:
        """Cancel a pending request, and stop its handler."""
        return await self.mutate(
            "cancelRequest",
            {"requestId": request_id},
            lambda context: requests.cancel_request(context, request_id),
            owner,
        )

    async def delete_request(self, request_id: str, *, owner: str | None = None) -> Request:
        """Delete an ended request; raises PreconditionFailed if it is pending."""
        return await self.mutate(
            "deleteRequest",
            {"requestId": request_id},
            lambda context: requests.delete_request(context, request_id),
            owner,
        )

    async def request(self, request_id: str, *, owner: str | None = None) -> Request:
        """Read a request."""
        return await call(requests.request(self.context(owner), request_id))

    async def requests(
        self,
        *states: RequestState,
        owner: str | None = None,
        first: int = 100,
        after: Request | None = None,
    ) -> Page[Request]:
        """Read a page of up to 1,000 requests, newest first; of some states, if given."""
        window = page_window(first, after)
        return await call(requests.requests(self.context(owner), window, states or None))
