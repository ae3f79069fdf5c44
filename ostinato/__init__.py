"""Ostinato: a GraphQL backend for scheduled work, with live status.

This is the public API for applications. Names are loaded on first use, so that `import ostinato`
does not load a database driver.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.client.application import Ostinato
    from ostinato.client.handles import JobCanceled, JobFailed, JobHandle
    from ostinato.client.job_verbs import Call
    from ostinato.jobs.context import Context
    from ostinato.jobs.decorators import action, cron, mutation
    from ostinato.jobs.handler_decorators import BatchPage, batch, request_handler
    from ostinato.jobs.rate_limit import RateLimit
    from ostinato.jobs.retry import Retry, RetryAfter

__all__ = [
    "BatchPage",
    "Call",
    "Context",
    "JobCanceled",
    "JobFailed",
    "JobHandle",
    "Ostinato",
    "RateLimit",
    "Retry",
    "RetryAfter",
    "action",
    "batch",
    "cron",
    "mutation",
    "request_handler",
]

HOMES: Final = {
    "ostinato.client.application": ("Ostinato",),
    "ostinato.client.handles": ("JobCanceled", "JobFailed", "JobHandle"),
    "ostinato.client.job_verbs": ("Call",),
    "ostinato.jobs.context": ("Context",),
    "ostinato.jobs.decorators": ("action", "cron", "mutation"),
    "ostinato.jobs.rate_limit": ("RateLimit",),
    "ostinato.jobs.retry": ("Retry", "RetryAfter"),
    "ostinato.jobs.handler_decorators": ("BatchPage", "batch", "request_handler"),
}
"""The module that defines each public name."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        for home, names in HOMES.items():
            if name in names:
                return getattr(importlib.import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
