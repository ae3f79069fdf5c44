"""Handles of jobs: wait for the end of a job, and return its result or raise its error."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Generic, Protocol, TypeVar, get_type_hints

from pydantic import TypeAdapter

from ostinato.jobs.end_waiter import EndWaiter
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.lifecycle import FINAL_STATES
from ostinato.jobs.records import Job, JobError, JobState
from ostinato.jobs.registry import FunctionRef

R_co = TypeVar("R_co", covariant=True)


class JobFailed(OstinatoError):
    """The job has failed; `error` is that of its last attempt."""

    code = "JOB_FAILED"

    def __init__(self, job: Job) -> None:
        self.job = job
        self.error = job.error or JobError(name="Unknown", message="the job has no error")
        super().__init__(
            f"{job.function_name} (job {job.id}) failed in attempt {job.attempt}: "
            f"{self.error.name}: {self.error.message}"
        )


class JobCanceled(OstinatoError):
    """The job was canceled."""

    code = "JOB_CANCELED"

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.function_name} (job {job.id}) was canceled")


class JobActions(Protocol):
    """The verbs of the client that a handle uses."""

    @property
    def ends(self) -> EndWaiter: ...

    async def get(self, job_id: str, *, owner: str | None = None) -> Job: ...

    async def cancel(self, job_id: str, *, owner: str | None = None) -> Job: ...

    async def retry(self, job_id: str, *, owner: str | None = None) -> Job: ...


class JobHandle(Generic[R_co]):
    """A scheduled job whose function returns `R_co`."""

    def __init__(
        self,
        actions: JobActions,
        job_id: str,
        read_job: Callable[[], Job],
        returns: TypeAdapter[Any],
    ) -> None:
        self._actions = actions
        self._read_job = read_job
        self._returns = returns
        self.id: Final = job_id

    @property
    def job(self) -> Job:
        """The job as it was when the handle was made: see `refresh`."""
        return self._read_job()

    async def result(self, timeout: timedelta | float | None = None) -> R_co:
        """Wait for the end of the job, over all its attempts, and return the function's result.

        `timeout` is a duration, or seconds of real time. Raises TimeoutError after it, JobFailed,
        JobCanceled, or NotFound if the job was purged. A job whose transaction has not committed
        is not found, either.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        try:
            async with asyncio.timeout(seconds):
                ended = await self._wait_for_end()
        except TimeoutError as error:
            raise TimeoutError(f"job {self.id} has not ended within {seconds} s") from error
        return self._result_of(ended)

    async def refresh(self) -> Job:
        """Read the job; raises NotFound if it was purged."""
        return await self._actions.get(self.id)

    async def cancel(self) -> Job:
        """Cancel a pending job, or ask a running one to stop; raises PreconditionFailed."""
        return await self._actions.cancel(self.id)

    async def retry(self) -> Job:
        """Start another set of attempts of a failed or canceled job; raises PreconditionFailed."""
        return await self._actions.retry(self.id)

    async def _wait_for_end(self) -> Job:
        while True:
            await self._actions.ends.wait(self.id)
            job = await self._actions.get(self.id)
            if job.state in FINAL_STATES:  # it may have been retried before it was read
                return job

    def _result_of(self, ended: Job) -> R_co:
        if ended.state is JobState.FAILED:
            raise JobFailed(ended)
        if ended.state is JobState.CANCELED:
            raise JobCanceled(ended)
        result: R_co = self._returns.validate_python(ended.result)
        return result


ANY_JSON: Final[TypeAdapter[Any]] = TypeAdapter(Any)


@lru_cache(maxsize=1_024)
def result_type(function: FunctionRef) -> TypeAdapter[Any]:
    """Return the type of a function's results; Any for a name, or without an annotation."""
    if isinstance(function, str):
        return ANY_JSON
    try:
        return TypeAdapter(get_type_hints(function).get("return", Any))
    except Exception:  # annotations are user code, and Pydantic may not know the type
        return ANY_JSON
