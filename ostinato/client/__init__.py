"""The Python client: an application uses Ostinato inside its own process."""

from ostinato.client.admin_verbs import AdminVerbs
from ostinato.client.job_verbs import JobVerbs
from ostinato.client.live_verbs import LiveVerbs
from ostinato.client.pattern_verbs import PatternVerbs


class Ostinato(JobVerbs, PatternVerbs, AdminVerbs, LiveVerbs):
    """Ostinato inside an application's process: `async with Ostinato.open() as app`.

    The application is trusted: it may use every function and acts for any owner, or, with the owner
    None, for the system. Quotas and suspensions of owners hold. It runs no jobs: workers do.
    """
