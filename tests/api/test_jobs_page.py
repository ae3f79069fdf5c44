"""The operations of docs/jobs.md run as they are printed."""

import re
from pathlib import Path

from tests.api.conftest import Client

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
OPERATIONS = re.findall(r"^```graphql\n(.*?)^```", PAGE, re.M | re.S)


async def test_each_operation_of_the_page_runs(ann: Client) -> None:
    assert OPERATIONS
    for document in OPERATIONS:
        answer = await ann(document)
        assert not answer.errors, (document, answer.errors)
