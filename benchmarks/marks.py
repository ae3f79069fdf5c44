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


def starts(servers: Servers) -> dict[str, list[float]]:
    """Return when each held job started, as Unix times in seconds."""
    found: dict[str, list[float]] = {}
    for value in _texts(servers, "held"):
        number, at = value.split()
        found.setdefault(number, []).append(float(at))
    return found


def _values(servers: Servers, word: str) -> list[float]:
    return [float(text) for text in _texts(servers, word)]


def _texts(servers: Servers, word: str) -> list[str]:
    if not servers.marks.exists():
        return []
    lines = servers.marks.read_text().splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{word} ")]
