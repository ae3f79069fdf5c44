"""Hooks that are called after a job has failed, and the internal job that calls them; and the one
that counts the failed runs of a cron.

These jobs are inserted in the transaction that fails the job: no crash can separate them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.documents import root_id_of
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.lanes import DEFAULT_QUEUE, is_queue_name
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import escape_document, restore
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import Cause, CauseKind, JobError, Json
from ostinato.jobs.registry import AnyFunction, Registry

CALL_HOOKS: Final = "failures.callHooks"
"""The built-in function that calls the hooks."""
CHECK_FAILURES: Final = "crons.checkFailures"
"""The built-in function that pauses a cron whose runs have failed too often."""
HOOK_JOB_FIELDS: Final = ("queue", "traceparent", "rootId")
"""What the job that calls the hooks inherits from the failed job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    """A job that has failed and is not retried, as a hook receives it."""

    id: str
    function_name: str
    owner: str | None
    args: JsonValue
    attempts: int
    error: JobError
    """Of the last attempt."""
    failed_at: datetime


FailureHook = Callable[[Context, FailedJob], Awaitable[None]]


def hooks_of(registry: Registry, function_name: str) -> list[AnyFunction]:
    """Return the function's own hook and those for all functions."""
    function = registry.get(function_name)
    own = [function.on_failure] if function and function.on_failure else []
    return [*own, *(hook for hook in registry.failure_hooks.values() if hook not in own)]


class HookJobs:
    """Builds the jobs that call the hooks of failed jobs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def build(self, failure: dict[str, Any], job: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the document to insert with the failure of a job; None if it has no hook.

        The job that calls hooks has none: its failure would call them forever. A worker serves the
        queue of the failed job.
        """
        name = failure["functionName"] if type(failure["functionName"]) is str else "unknown"
        if name == CALL_HOOKS or not hooks_of(self._registry, name):
            return None
        function = self._registry.resolve(CALL_HOOKS)
        queue, traceparent = job.get("queue"), job.get("traceparent")
        is_valid = isinstance(queue, str) and is_queue_name(queue)
        new = NewJob(
            function=function,
            args=_arguments(failure, name),
            owner=None,
            cause=Cause(kind=CauseKind.JOB, id=failure["_id"]),
            scheduled_time=failure["at"],
            queue=str(queue) if is_valid else DEFAULT_QUEUE,
            traceparent=traceparent if type(traceparent) is str else None,
            root_id=root_id_of({**job, "_id": failure["_id"]}),
        )
        return escape_document(build_job_document(new, failure["at"], retention_ms=0))

    def build_check(self, cron: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Return the document to insert with the failure of a run of a cron that counts them."""
        new = NewJob(
            function=self._registry.resolve(CHECK_FAILURES),
            args={"cron_id": cron["_id"]},
            owner=cron["owner"],
            cause=Cause(kind=CauseKind.CRON, id=cron["_id"]),
            scheduled_time=at,
        )
        return build_job_document(new, at, retention_ms=0)


def _arguments(failure: dict[str, Any], function_name: str) -> dict[str, Json]:
    """Return the argument of CALL_HOOKS, a `FailedJob`; the owner may be malformed."""
    owner, error = failure["owner"], failure["error"]
    failed = {
        "id": failure["_id"],
        "function_name": function_name,
        "owner": owner if type(owner) is str else None,
        "args": restore(failure["data"]),
        "attempts": int(failure["attempts"]),
        "error": {name: error.get(name) for name in ("name", "message", "traceback")},
        "failed_at": format_instant(failure["at"]),
    }
    return {"failed": failed}
