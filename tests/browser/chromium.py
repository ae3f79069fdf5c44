"""Runs the scenarios of frontend-demo/e2e in one Chromium."""

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from subprocess import PIPE
from typing import Any, Protocol

from tests.processes import ROOT

PAGE = ROOT / "frontend-demo"
PICTURES = ROOT / "docs" / "screenshots"
SCENARIO_S = 600.0
CLOSE_S = 10.0

Handlers = Mapping[str, Callable[[], Awaitable[object]]]


class Pages(Protocol):
    """The pages of an API."""

    @property
    def url(self) -> str: ...

    def token(self, sub: str, /) -> str: ...


class Chromium:
    """A Chromium that starts with the first scenario, and restarts after one that did not end."""

    def __init__(self) -> None:
        self._node: subprocess.Popen[str] | None = None

    async def run_scenario(
        self,
        scenario: str,
        pages: Pages,
        handlers: Handlers | None = None,
        **options: object,
    ) -> None:
        """Run a scenario on the pages of an API and serve its requests; fail with its error."""
        node = self._started()
        try:
            async with asyncio.timeout(SCENARIO_S):
                response = await _exchange_messages(
                    node, _scenario_options(scenario, pages, options), handlers or {}
                )
        except BaseException:
            self.close()  # the thread that reads must end with the test
            raise
        assert response == {"passed": True}, response["failed"]

    def close(self) -> None:
        node, self._node = self._node, None
        if node is None:
            return
        with node:
            node.kill()

    def _started(self) -> "subprocess.Popen[str]":
        if self._node is None:
            command = ["node", "e2e/main.mjs"]
            self._node = subprocess.Popen(command, cwd=PAGE, stdin=PIPE, stdout=PIPE, text=True)
        return self._node


async def _exchange_messages(
    node: "subprocess.Popen[str]", options: Mapping[str, object], handlers: Handlers
) -> dict[str, Any]:
    assert node.stdin
    assert node.stdout
    message = options
    while True:
        node.stdin.write(f"{json.dumps(message)}\n")
        node.stdin.flush()
        response: dict[str, Any] = json.loads(await asyncio.to_thread(node.stdout.readline))
        if "request" not in response:
            return response
        message = {"value": await handlers[response["request"]]()}


def _scenario_options(
    scenario: str, pages: Pages, options: Mapping[str, object]
) -> dict[str, object]:
    return {
        "scenario": scenario,
        "baseUrl": pages.url,
        "token": None if "token" in options else pages.token("alice"),
        "viewer": "alice",
        "pictures": str(PICTURES),
        "screenshot": os.environ.get("OSTINATO_FAILURE_SCREENSHOT"),
        **options,
    }
