"""Reports failed jobs to Sentry.

pip install sentry-sdk
SENTRY_DSN=https://… OSTINATO_FUNCTIONS=myapp.functions,docs.examples.sentry_hook ostinato worker
"""

import os

import sentry_sdk

from ostinato import Context, FailedJob, on_failure

sentry_sdk.init(dsn=os.environ.get("SENTRY_DSN"), default_integrations=False)


@on_failure
async def report(ctx: Context, failed: FailedJob) -> None:
    """Send an event; Sentry groups the failures of a function that have the same error.

    The arguments and the owner are not sent: they may be personal data.
    """
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("function", failed.function_name)
        scope.set_tag("attempts", failed.attempts)
        scope.set_context("job", {"id": failed.id, "traceback": failed.error.traceback})
        scope.fingerprint = [failed.function_name, failed.error.name]
        sentry_sdk.capture_message(f"{failed.error.name}: {failed.error.message}", level="error")
