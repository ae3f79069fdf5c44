"""Reads the notes of measured jobs."""

from benchmarks.servers import Servers


def clear(servers: Servers) -> None:
    servers.marks.unlink(missing_ok=True)


def first_started_at(servers: Servers) -> float | None:
    """Return the Unix time in seconds at which the first job of all processes began."""
    return min(_values(servers, "begun"), default=None)


def late_ms(servers: Servers) -> list[float]:
    """Return how long after their due times jobs started, in ms."""
    return [seconds * 1000 for seconds in _values(servers, "late")]


def _values(servers: Servers, word: str) -> list[float]:
    if not servers.marks.exists():
        return []
    lines = servers.marks.read_text().splitlines()
    return [float(line.partition(" ")[2]) for line in lines if line.startswith(f"{word} ")]
