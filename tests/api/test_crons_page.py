"""Runs the examples of docs/crons.md about schedules as printed."""

import json
import re
from typing import Any

from ostinato.jobs.cronspec import cronspec_problem
from tests.api.conftest import Client, Clients
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "crons.md").read_text()


def examples(language: str) -> dict[str, str]:
    """Return the code blocks in a language, by the first root field."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    return {re.findall(r"\w+", block)[1]: block for block in found}


async def test_preview_of_the_page_has_the_printed_ticks(ann: Client) -> None:
    (printed,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    assert await ann.get(examples("graphql")["previewTicks"]) == json.loads(printed)


async def test_cron_of_the_page_excludes_the_days_of_its_calendar(
    ann: Client, clients: Clients
) -> None:
    admin, blocks = clients.of("root", "admin"), examples("graphql")
    created: dict[str, Any] = (await admin.get(blocks["createCalendar"]))["calendar"]
    assert created == {"name": "holidays", "version": 1}
    cron = (await ann.get(blocks["registerCron"]))["cron"]
    assert cron["exclusions"] == {"calendar": "holidays"}
    assert len(cron["nextRuns"]) == 3


def test_suggestions_of_the_page_are_those_of_the_errors() -> None:
    table = PAGE.partition("### Expressions of other programs")[2].partition("What differs")[0]
    rows = re.findall(r"^\| `(.+?)` \| .+? \| (?:`(.+?)`)?", table, re.M)
    assert len(rows) == 9
    for foreign, here in rows:
        problem = cronspec_problem(foreign)
        assert problem is not None
        assert foreign.startswith("H") or here in problem, foreign
