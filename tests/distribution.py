"""Distributes the tests to the workers of the test runner."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

GROUPED_MODULES = (
    "tests/chaos/test_run.py",
    "tests/browser/test_pages.py",
    "tests/browser/test_client_package.py",
    "tests/test_setup_dev.py",
    "tests/test_style.py",
    "tests/jobs/worker/test_rejected_outcomes.py",
    "tests/jobs/arq_queue/test_redis_urls.py",
)
"""Modules whose tests share an expensive setup: one worker runs all tests of each."""


class Distribution(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Distributes tests one by one, except for some modules whose tests stay together.

    The groups of pytest-xdist 3.8 have no effect with pytest 9.2, which ignores the ids that they
    are written into.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in GROUPED_MODULES else nodeid
