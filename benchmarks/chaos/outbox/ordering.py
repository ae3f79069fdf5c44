"""An application that stores orders and schedules their jobs in transactions, with `session=`.

Aborts as many transactions as it commits, and exits after the last commit.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from pymongo.errors import DuplicateKeyError, PyMongoError

from benchmarks.chaos.ledger import enter
from ostinato import Ostinato
from ostinato.jobs.errors import Unavailable
from tests.client.sessions import Orders, Rollback, connected

OWNER: Final = "ada"
PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The argument of an application, as JSON."""

    url: str
    database: str
    name: str
    """The driver: `motor`, `async` or `sync`; also the prefix of its orders."""
    count: int

    def encode(self) -> str:
        return json.dumps(asdict(self))


async def place(app: Ostinato, orders: Orders, mark: str, *, commits: bool) -> None:
    """Write an order and its job in one transaction, which is rolled back unless `commits`."""
    with suppress(Rollback):
        async with orders.transaction({"_id": mark}) as session:
            await app.schedule(enter, {"mark": mark}, owner=OWNER, session=session)
            if not commits:
                raise Rollback


async def until_done(act: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat through failovers.

    An order that exists already was committed by an attempt without an answer.
    """
    while True:
        try:
            return await act()
        except DuplicateKeyError:
            return None
        except (PyMongoError, Unavailable) as error:
            print(repr(error)[:200], file=sys.stderr, flush=True)
            await asyncio.sleep(PAUSE_S)


async def main(config: Config) -> None:
    async with (
        Ostinato.open(mongo_url=config.url, database=config.database) as app,
        connected(config.name, f"{config.url}&w=majority") as client,
    ):
        orders, stored = Orders(client, config.database), app.engine.mongo["orders"]
        for number in range(config.count):
            mark = f"{config.name}-{number}"
            if await until_done(lambda mark=mark: stored.find_one({"_id": mark})):  # type: ignore[misc]
                continue
            for each, commits in ((f"{mark}-aborted", False), (mark, True)):
                await until_done(
                    lambda each=each, commits=commits: place(  # type: ignore[misc]
                        app, orders, each, commits=commits
                    )
                )


if __name__ == "__main__":
    asyncio.run(main(Config(**json.loads(sys.argv[1]))))
