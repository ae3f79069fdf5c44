"""Ostinato: a GraphQL backend for scheduled work, with live status.

This is the public API for applications. Names are loaded on first use, so that `import ostinato`
does not load a database driver.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.client.handles import JobCanceled, JobFailed, JobHandle
    from ostinato.client.job_verbs import Call
    from ostinato.jobs.activity import ActivityRange
    from ostinato.jobs.context import Context
    from ostinato.jobs.decorators import action, cron, mutation
    from ostinato.jobs.errors import (
        BadRequest,
        Conflict,
        HistoryLost,
        Malformed,
        NotFound,
        OstinatoError,
        OwnerSuspended,
        PayloadTooLarge,
        PreconditionFailed,
        QuotaExceeded,
        SlowConsumer,
        TimedOut,
        Unauthorized,
        Unavailable,
        VersionConflict,
    )
    from ostinato.jobs.failure_hooks import FailedJob
    from ostinato.jobs.filters import FailureFilter, FailureState, JobFilter, JobOrder
    from ostinato.jobs.handler_decorators import BatchPage, batch, on_failure, request_handler
    from ostinato.jobs.rate_limit import RateLimit
    from ostinato.jobs.records import Job, JobState
    from ostinato.jobs.retry import Retry, RetryAfter
    from ostinato.jobs.settings import Settings
    from ostinato.jobs.time_rules import DateRange, Exclusions, FoldPolicy, GapPolicy, Weekday
    from ostinato.resolvers.auth import Viewer
    from ostinato.schema.transports.authentication import Authenticate

__all__ = [
    "ActivityRange",
    "Authenticate",
    "BadRequest",
    "BatchPage",
    "Call",
    "Conflict",
    "Context",
    "DateRange",
    "Exclusions",
    "FailedJob",
    "FailureFilter",
    "FailureState",
    "FoldPolicy",
    "GapPolicy",
    "HistoryLost",
    "Job",
    "JobCanceled",
    "JobFailed",
    "JobFilter",
    "JobHandle",
    "JobOrder",
    "JobState",
    "Malformed",
    "NotFound",
    "Ostinato",
    "OstinatoError",
    "OwnerSuspended",
    "PayloadTooLarge",
    "PreconditionFailed",
    "QuotaExceeded",
    "RateLimit",
    "Retry",
    "RetryAfter",
    "Settings",
    "SlowConsumer",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "VersionConflict",
    "Viewer",
    "Weekday",
    "action",
    "batch",
    "cron",
    "mutation",
    "on_failure",
    "request_handler",
]

MODULES: Final = {
    "ostinato.application": ("Ostinato",),
    "ostinato.client.handles": (
        "JobCanceled",
        "JobFailed",
        "JobHandle",
    ),
    "ostinato.client.job_verbs": ("Call",),
    "ostinato.jobs.activity": ("ActivityRange",),
    "ostinato.jobs.context": ("Context",),
    "ostinato.jobs.decorators": (
        "action",
        "cron",
        "mutation",
    ),
    "ostinato.jobs.errors": (
        "BadRequest",
        "Conflict",
        "HistoryLost",
        "Malformed",
        "NotFound",
        "OstinatoError",
        "OwnerSuspended",
        "PayloadTooLarge",
        "PreconditionFailed",
        "QuotaExceeded",
        "SlowConsumer",
        "TimedOut",
        "Unauthorized",
        "Unavailable",
        "VersionConflict",
    ),
    "ostinato.jobs.failure_hooks": ("FailedJob",),
    "ostinato.jobs.filters": (
        "FailureFilter",
        "FailureState",
        "JobFilter",
        "JobOrder",
    ),
    "ostinato.jobs.handler_decorators": (
        "BatchPage",
        "batch",
        "on_failure",
        "request_handler",
    ),
    "ostinato.jobs.rate_limit": ("RateLimit",),
    "ostinato.jobs.records": (
        "Job",
        "JobState",
    ),
    "ostinato.jobs.retry": (
        "Retry",
        "RetryAfter",
    ),
    "ostinato.jobs.settings": ("Settings",),
    "ostinato.jobs.time_rules": (
        "DateRange",
        "Exclusions",
        "FoldPolicy",
        "GapPolicy",
        "Weekday",
    ),
    "ostinato.resolvers.auth": ("Viewer",),
    "ostinato.schema.transports.authentication": ("Authenticate",),
}
"""The module that defines each public name."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        for module, names in MODULES.items():
            if name in names:
                return getattr(importlib.import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
