"""Every page with data on it: accessible in both themes and widths, and the screenshots."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

import pytest

from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.settings import Settings
from tests.browser import shop_data
from tests.browser.chromium import Chromium
from tests.processes import ApiProcess, Processes

pytestmark = pytest.mark.slow

LEASE_MS = 600_000
"""No worker is lost while a page is open."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Return the browser of all tests of this module."""
    browser = Chromium()
    yield browser
    browser.close()


@dataclass(frozen=True, slots=True)
class Shop:
    """The pages of an API with the data of a shop, as an admin sees them."""

    api: ApiProcess
    mongo: Mongo
    examples: shop_data.ShopExamples

    async def run_scenario(self, chromium: Chromium, scenario: str, **options: object) -> None:
        options["token"] = self.api.token("ada", "admin")
        options["examples"] = asdict(self.examples)
        handlers = {
            "write heartbeats": partial(shop_data.write_heartbeats, self.mongo),
            "add a job": partial(shop_data.add_job, self.mongo),
        }
        await chromium.run_scenario(scenario, self.api, handlers, **options)


@pytest.fixture
async def shop(processes: Processes, settings: Settings) -> AsyncIterator[Shop]:
    """Return the pages of a shop."""
    with closing(Mongo.connect(settings, "tests")) as mongo:
        examples = await shop_data.fill(mongo)
        functions = ("tests.browser.shop",)
        api = await processes.api(functions=functions, lease_ms=LEASE_MS)
        yield Shop(api, mongo, examples)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_280, 390])
async def test_every_page_and_dialog_is_accessible(
    chromium: Chromium, shop: Shop, width: int, theme: str
) -> None:
    await shop.run_scenario(chromium, "accessibility", width=width, theme=theme)


if "OSTINATO_SCREENSHOTS" in os.environ:

    async def test_screenshots_of_the_documentation_are_taken(
        chromium: Chromium, shop: Shop
    ) -> None:
        await shop.run_scenario(chromium, "screenshots")
