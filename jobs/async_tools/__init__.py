"""Generic asyncio building blocks, independent of jobs."""
