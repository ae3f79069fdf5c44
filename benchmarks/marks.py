"""Reads what measured jobs noted."""

from benchmarks.servers import Servers


def forget(servers: Servers) -> None:
    servers.marks.unlink(missing_ok=True)


def begun_at(servers: Servers) -> float | None:
    """Return the Unix time in seconds at which the first job of all processes began."""
    return min(_noted(servers, "begun"), default=None)


def late_ms(servers: Servers) -> list[float]:
    """Return how long after their due times jobs started, in ms."""
    return [seconds * 1000 for seconds in _noted(servers, "late")]


def _noted(servers: Servers, word: str) -> list[float]:
    if not servers.marks.exists():
        return []
    lines = servers.marks.read_text().splitlines()
    return [float(line.partition(" ")[2]) for line in lines if line.startswith(f"{word} ")]
