"""An application that is killed leaves neither an order without its job nor a job alone."""

import asyncio
import os
import sys
from typing import Any

import pytest

from ostinato import Ostinato
from ostinato.jobs.settings import Settings
from tests.client.test_transactions import DRIVERS
from tests.processes import ROOT, START_S, environment, eventually

KILLED_AFTER = (50, 150, 333)


async def run_until_killed(app: Ostinato, driver: str, orders: int) -> None:
    """Run an application that stores orders and jobs, and kill it after this many orders."""
    command = (sys.executable, "-m", "tests.client.ordering", driver)
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment(app.settings)}
    application = await asyncio.create_subprocess_exec(*command, env=env)
    collection = app.engine.mongo["orders"]

    async def has_stored() -> bool:
        return await collection.count_documents({}) >= orders

    await eventually(has_stored, within=START_S)
    application.kill()
    await application.wait()


async def numbers(app: Ostinato, collection: str, field: str) -> list[Any]:
    found = app.engine.mongo[collection].find({}, {"number": f"${field}", "_id": 0})
    return sorted([each["number"] for each in await found.to_list(None)])


async def find_numbers(app: Ostinato) -> list[Any]:
    """Return the numbers of the orders, once the commits that the server had received are done."""

    async def equal() -> list[Any] | None:
        ordered = await numbers(app, "orders", "number")
        return ordered if ordered == await numbers(app, "jobs", "args.number") else None

    return await eventually(equal) or []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_killed_application_leaves_no_order_without_its_job(
    client_settings: Settings, driver: str
) -> None:
    async with Ostinato.open(client_settings) as app:
        for orders in KILLED_AFTER:
            await run_until_killed(app, driver, orders)
            assert len(await find_numbers(app)) >= orders
