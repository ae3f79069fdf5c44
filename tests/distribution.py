"""Owns how the tests are dealt out to the workers of the runner."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

TOGETHER = (
    "tests/chaos/test_run.py",
    "tests/browser/test_pages.py",
    "tests/test_setup_dev.py",
    "tests/test_style.py",
    "tests/jobs/worker/test_rejected_outcomes.py",
    "tests/jobs/arq_queue/test_redis_urls.py",
)
"""Modules whose tests share what is dear to set up: one worker has them all."""


class Distribution(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Deal out tests one by one, but those of some modules together.

    The plugin's own groups do nothing with pytest 9.2, and nothing says so: pytest-xdist 3.8 writes
    them into ids that are not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in TOGETHER else nodeid
