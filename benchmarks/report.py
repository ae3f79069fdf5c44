"""Runs the parts of a benchmark."""

from collections.abc import Callable, Iterable, Mapping

from benchmarks.results import Measured
from benchmarks.servers import Servers

Found = tuple[str, Iterable[Measured]]
"""A section of RESULTS.md, and its figures."""


def run(
    parts: Mapping[str, Callable[[Servers], Found]],
    servers: Servers,
    save: Callable[[Mapping[str, Iterable[Measured]]], None],
) -> list[str]:
    """Measure each part, print its section, and save its figures; returns the sections."""
    sections = []
    for name, measure in parts.items():
        print(f"▸ {name}", flush=True)
        section, figures = measure(servers)
        print(f"\n{section}\n", flush=True)
        save({name: figures})
        sections.append(section)
    return sections
