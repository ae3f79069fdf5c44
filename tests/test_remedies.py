"""Every client error raised in the code says what to do about it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT

CLIENT_ERRORS = {
    *("Refused", "SocketClosing", "Unauthorized", "Forbidden", "PayloadTooLarge"),
    *("TooManyRequests", "Unavailable", "TimedOut", "SlowConsumer", "HistoryLost", "LimitExceeded"),
}
REMEDY = re.compile(
    r"[:;] |\bmust\b|takes no|^(send|use|accept|only|read|sign|reconnect)\b", re.IGNORECASE
)


def find_messages(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place of each client error, and the literal parts of its message."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = (
            node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        )
        if isinstance(node, ast.Call) and name in CLIENT_ERRORS:
            texts = [text for argument in node.args if (text := literal_text(argument))]
            yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", text) for text in texts)


def literal_text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal_text(value) or "x" for value in node.values)
    return ""


def test_every_client_error_says_what_to_do() -> None:
    paths = [path for top in ("jobs", "resolvers", "schema") for path in (ROOT / top).rglob("*.py")]
    found = [message for path in paths for message in find_messages(path)]
    assert [(place, text) for place, text in found if not REMEDY.search(text)] == []
    assert len(found) > 30
