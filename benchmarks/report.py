"""Runs the parts of a benchmark."""

from collections.abc import Callable, Iterable, Mapping

from benchmarks.results import Measured
from benchmarks.servers import Servers

Found = tuple[str, Iterable[Measured]]
"""A section of RESULTS.md, and its figures."""


def run(parts: Mapping[str, Callable[[Servers], Found]], servers: Servers) -> dict[str, Found]:
    """Measure each part, and print its section."""
    found: dict[str, Found] = {}
    for name, measure in parts.items():
        print(f"▸ {name}", flush=True)
        found[name] = measure(servers)
        print(f"\n{found[name][0]}\n", flush=True)
    return found
