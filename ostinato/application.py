"""Ostinato inside an application: the Python client, the API to mount, and a worker."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Unpack

from pydantic import SecretStr

from ostinato.client.admin_verbs import AdminVerbs
from ostinato.client.base_client import NOT_OPEN, Opened, OpenOptions
from ostinato.client.batch_verbs import BatchVerbs
from ostinato.client.bulk_verbs import BulkVerbs
from ostinato.client.cron_verbs import CronVerbs
from ostinato.client.job_verbs import JobVerbs
from ostinato.client.live_verbs import LiveVerbs
from ostinato.client.request_verbs import RequestVerbs
from ostinato.client.schedule_verbs import ScheduleVerbs
from ostinato.client.task_verbs import TaskVerbs
from ostinato.jobs.async_tools.supervision import SupervisedTask
from ostinato.jobs.settings import Mode, Settings

if TYPE_CHECKING:
    from strawberry import Schema

    from ostinato.schema.server.mount import MountedApp
    from ostinato.schema.transports.authentication import Authenticate


class Ostinato(
    JobVerbs,
    CronVerbs,
    TaskVerbs,
    ScheduleVerbs,
    BatchVerbs,
    RequestVerbs,
    AdminVerbs,
    BulkVerbs,
    LiveVerbs,
):
    """Ostinato inside an application's process: `async with Ostinato.open() as app`.

    The application is trusted: it may use every function and acts for any owner, or, with the owner
    None, for the system. Quotas and suspensions of owners hold. Workers run the jobs: other
    processes, or with `worker=True` this one.

    `asgi` returns the GraphQL API and its pages, to be mounted. They are served while this object
    is open.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        worker: bool = False,
        **options: Unpack[OpenOptions],
    ) -> None:
        """Read the settings; nothing is connected before `async with`.

        Options take precedence over `settings`, or over the `OSTINATO_…` variables if there are no
        `settings`. With `worker`, this process also runs jobs, in its event loop, and Redis is
        required. Raises BadRequest for an unknown option, and ValidationError for invalid values.
        """
        super().__init__(settings, **options)
        self._runs_worker = worker
        self._mounted: MountedApp | None = None

    def asgi(
        self, *, authenticate: "Authenticate | None" = None, schema: "Schema | None" = None
    ) -> "MountedApp":
        """Return the API as an ASGI application: `app.mount("/ostinato", ostinato.asgi())`.

        It serves the live page, GraphiQL, `/graphql`, `/healthz` and `/readyz` below any prefix.
        `authenticate` returns the viewer of each request and WebSocket; without it, callers send
        JSON Web Tokens. `schema` is one that `ostinato.graphql.build_schema` returned.

        Call it once, before `async with`; raises RuntimeError otherwise. Raises ValueError if a
        required secret is not set.
        """
        from ostinato.schema.server.app import MountOptions
        from ostinato.schema.server.mount import MountedApp

        if self._mounted is not None or self.is_open:
            raise RuntimeError("call `asgi` once, before `async with`")
        options = MountOptions(authenticate=authenticate)
        if schema is not None:
            options = MountOptions(authenticate=authenticate, schema=schema)
        self._configured = _with_cursor_key(self._configured)
        try:
            self._mounted = MountedApp(self._configured, options, lambda: self, NOT_OPEN)
        except ValueError as error:
            hint = "in development, start your application with `ostinato exec`"
            raise ValueError(f"{error}; {hint}") from None
        return self._mounted

    def _settings_to_open(self) -> Settings:
        return super()._settings_to_open() if self._mounted is None else self._configured

    async def _open_more(self, opened: Opened) -> None:
        supervised: list[SupervisedTask] = []
        if self._runs_worker:
            working = _working(self._configured)
            supervised.append(await opened.resources.enter_async_context(working))
        if self._mounted is None:
            return
        from ostinato.schema.server.app_state import HostResources

        await self.following(None)
        host = HostResources(
            engine=opened.engine,
            feed=opened.feed,
            dead_tasks=lambda: [task.name for task in supervised if task.is_dead],
        )
        await opened.resources.enter_async_context(self._mounted.serving(host))


@asynccontextmanager
async def _working(settings: Settings) -> AsyncIterator[SupervisedTask]:
    """Run a worker during the block; at its end, return the jobs that did not end in time."""
    from ostinato.jobs.worker.main import run_worker_until

    stop = asyncio.Event()
    worker = SupervisedTask("worker", partial(run_worker_until, settings, stop))
    running = asyncio.create_task(worker.run(), name="worker")
    try:
        yield worker
    finally:
        stop.set()
        await running


def _with_cursor_key(settings: Settings) -> Settings:
    """Return settings that can sign cursors; outside production, a key of this process will do."""
    has_key = settings.cursor_secret is not None or settings.jwt_secret is not None
    if has_key or settings.mode is Mode.PRODUCTION:
        return settings
    return settings.model_copy(update={"cursor_secret": SecretStr(secrets.token_urlsafe(32))})
