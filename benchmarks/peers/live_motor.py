"""Follows jobs with motor's own change stream, and prints how many changes it has seen."""

import asyncio
import os

from motor.motor_asyncio import AsyncIOMotorClient

EVERY = 1_000


async def main() -> None:
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(os.environ["BENCH_URL"])
    jobs = client[os.environ["BENCH_DATABASE"]]["jobs"]
    async with jobs.watch(batch_size=EVERY) as changes:
        await changes.try_next()  # opens it
        print(0, flush=True)
        seen = 0
        async for _ in changes:
            seen += 1
            if seen % EVERY == 0:
                print(seen, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
