"""The pages inside applications, in a real Chromium."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from starlette.types import ASGIApp

from ostinato import Ostinato, Settings
from ostinato.resolvers.auth import issue_token
from tests.browser.chromium import Chromium
from tests.live.serving import hosted, mounting
from tests.processes import environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Return the browser of all tests of this module."""
    browser = Chromium()
    yield browser
    browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedPages:
    """The pages below a prefix of an application."""

    settings: Settings
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ostinato"

    def token(self, sub: str) -> str:
        return issue_token(self.settings, sub)


@pytest.mark.parametrize("scenario", ["jobs", "crons", "graphiql", "token"])
async def test_pages_work_below_a_prefix(
    chromium: Chromium, settings: Settings, scenario: str
) -> None:
    async with hosted(mounting(Ostinato(settings, worker=True))) as port:
        await chromium.run_scenario(scenario, MountedPages(settings=settings, port=port))


async def test_page_uses_the_session_of_the_application(
    chromium: Chromium, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("docs.examples.session_sign_in")
    app: ASGIApp = importlib.reload(module).app
    async with hosted(app) as port:
        await chromium.run_scenario("session", MountedPages(settings=settings, port=port))
