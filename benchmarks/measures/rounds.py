"""Runs the rounds of a measurement, and prints each result as it arrives."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from benchmarks.processes import CouldNotRun
from benchmarks.servers import Servers


class Measurement(Protocol):
    problem: str | None
    """Why it could not run; None if it could."""

    @property
    def label(self) -> str:
        """What is measured, as it is printed."""
        ...


M = TypeVar("M", bound=Measurement)


def run_rounds(
    servers: Servers,
    results: Sequence[M],
    rounds: int,
    run: Callable[[M], str],
    *,
    rotates: bool = False,
) -> None:
    """Run each measurement on empty servers in each round, in rotating order if wanted.

    `run` adds a round to its result and describes it.
    """
    for number in range(rounds):
        first = number % len(results) if rotates else 0
        for result in (*results[first:], *results[:first]):
            servers.clean()
            try:
                text = run(result)
            except CouldNotRun as error:
                result.problem = text = str(error)
            print(f"  round {number + 1}: {result.label}: {text}", flush=True)
