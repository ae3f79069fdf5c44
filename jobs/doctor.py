"""Checks Ostinato's environment: settings, modules and servers."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import replace

from ostinato.jobs.arq_queue.diagnostics import inspect_redis
from ostinato.jobs.findings import Finding
from ostinato.jobs.modules import import_problems
from ostinato.jobs.mongo.diagnostics import inspect_mongo, startup_problem
from ostinato.jobs.nearest import nearest
from ostinato.jobs.registry import registry
from ostinato.jobs.settings import Mode, Settings

FIX_IMPORT = "correct OSTINATO_FUNCTIONS or the module"
FIX_NO_FUNCTION = (
    "put a decorator, such as @action() or @mutation() of ostinato, before its `async def` "
    "functions, or remove it from OSTINATO_FUNCTIONS"
)


async def diagnose(settings: Settings) -> list[Finding]:
    """Check the settings, the functions, MongoDB and Redis, without changing anything.

    Advice has no fix outside production.
    """
    mongo, redis = await asyncio.gather(
        inspect_mongo(
            settings.mongo_url, settings.database, settings.lease_ms, settings.app_database
        ),
        inspect_redis(settings.redis_url),
    )
    variables = check_variables(os.environ)
    found = [*variables, *check_settings(settings), *check_functions(settings), *mongo, *redis]
    if settings.mode is Mode.PRODUCTION:
        return found
    return [replace(finding, fix=None) if finding.advised else finding for finding in found]


def check_variables(names: Iterable[str]) -> list[Finding]:
    """Find `OSTINATO_*` variables that are not settings; most are typos."""
    known = {f"OSTINATO_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        {name.upper() for name in names if name.upper().startswith("OSTINATO_")} - known
    )
    return [_unknown_variable(name, known) for name in unknown]


def _unknown_variable(name: str, known: Iterable[str]) -> Finding:
    similar = nearest(name, known, min_similarity=0.85)
    fix = f"did you mean {similar}?" if similar else "unset it: Ostinato does not read it"
    return Finding(subject="variable", detail=f"{name} is not a setting", fix=fix)


def check_functions(settings: Settings) -> list[Finding]:
    """Import the modules with functions; return one finding per failed import or empty module."""
    subject = "functions"
    if problems := import_problems(settings.functions):
        return [Finding(subject=subject, detail=each, fix=FIX_IMPORT) for each in problems]
    registered = Finding(subject=subject, detail=f"{len([*registry])} registered")
    return [registered, *find_empty_modules(settings)]


def find_empty_modules(settings: Settings) -> list[Finding]:
    """Find imported modules that register no function; call it after `import_problems`."""
    return [
        Finding(subject="functions", detail=f"{module} registers no function", fix=FIX_NO_FUNCTION)
        for module in settings.functions
        if module in registry.empty_modules
    ]


def check_settings(settings: Settings) -> list[Finding]:
    """Find invalid combinations of settings."""
    return [check_cursor_key(settings), _check_mode(settings)]


async def find_mongo_problem(settings: Settings) -> str | None:
    """Return why Ostinato cannot start with this MongoDB, and the fix; None if it can."""
    return await startup_problem(settings.mongo_url, settings.database, settings.app_database)


def check_cursor_key(settings: Settings) -> Finding:
    """Check whether the API can sign the cursors of subscriptions."""
    try:
        _ = settings.cursor_key
    except ValueError as error:
        return Finding(subject="cursor key", detail="none", fix=str(error))
    return Finding(subject="cursor key", detail="configured")


def _check_mode(settings: Settings) -> Finding:
    subject, detail = "mode", str(settings.mode)
    if settings.mode is Mode.PRODUCTION and settings.development_token is not None:
        fix = "unset OSTINATO_DEVELOPMENT_TOKEN, or set OSTINATO_MODE=development"
        return Finding(subject=subject, detail=f"{detail}, with a development token", fix=fix)
    return Finding(subject=subject, detail=detail)
