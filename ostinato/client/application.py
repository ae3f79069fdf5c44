"""The asynchronous client of an application."""

from ostinato.client.job_verbs import JobVerbs


class Ostinato(JobVerbs):
    """Ostinato inside an application's process: `async with Ostinato.open() as app`.

    The application is trusted: it may use every function and acts for any owner, or, with the owner
    None, for the system. Quotas and suspensions of owners hold. It runs no jobs: workers do.
    """
