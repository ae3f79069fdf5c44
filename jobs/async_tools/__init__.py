"""Building blocks for asyncio code that know nothing of jobs: each is used in several places."""
