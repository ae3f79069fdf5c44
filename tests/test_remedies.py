"""Every refusal that is made in the code says what to do about it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT

REFUSALS = {
    *("Refused", "SocketClosing", "Unauthorized", "Forbidden", "PayloadTooLarge"),
    *("TooManyRequests", "Unavailable", "TimedOut", "SlowConsumer", "HistoryLost", "LimitExceeded"),
}
REMEDY = re.compile(
    r"[:;] |\bmust\b|takes no|^(send|use|accept|only|read|sign|reconnect)\b", re.IGNORECASE
)


def raised(path: Path) -> Iterator[tuple[str, str]]:
    """Give where a refusal is made, and its text as far as it is written there."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = (
            node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        )
        if isinstance(node, ast.Call) and name in REFUSALS:
            texts = [text for each in node.args if (text := written(each))]
            yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", text) for text in texts)


def written(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(written(each) or "x" for each in node.values)
    return ""


def test_every_refusal_says_what_to_do() -> None:
    paths = [path for top in ("jobs", "resolvers", "schema") for path in (ROOT / top).rglob("*.py")]
    found = [each for path in paths for each in raised(path)]
    assert [each for each in found if not REMEDY.search(each[1])] == []
    assert len(found) > 30
