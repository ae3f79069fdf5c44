"""Stores orders and schedules their jobs in transactions until it is killed.

python -m tests.client.ordering DRIVER, with OSTINATO_… settings.
"""

import asyncio
import sys
from itertools import count

from ostinato import Ostinato
from tests.client.functions import double
from tests.client.sessions import Orders, connected


async def main(driver: str) -> None:
    async with (
        Ostinato.open() as app,
        connected(driver, app.settings.mongo_url) as client,
    ):
        orders = Orders(client, app.settings.database)
        for number in count():
            async with orders.transaction({"number": number}) as session:
                await app.schedule(double, {"number": number}, session=session)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
