"""Counts the attempts and failures of functions in this process. No I/O."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

MAX_FUNCTIONS: Final = 100  # each has 29 series
OTHER: Final = "other"
"""The label of all functions beyond MAX_FUNCTIONS, and of functions that are not registered."""
BOUNDS_S: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0)
FINE_FACTOR: Final = 1.25
FINE_BOUNDS_S: Final = tuple(FINE_FACTOR**power / 1_000 for power in range(83))
"""From a millisecond to a day, for percentiles."""


@dataclass(slots=True)
class Histogram:
    """Durations, counted by the smallest of BOUNDS_S that is not exceeded."""

    counts: Counter[int] = field(default_factory=Counter)
    """By position in BOUNDS_S; `len(BOUNDS_S)` counts longer ones."""
    fine_counts: Counter[int] = field(default_factory=Counter)
    """The same by position in FINE_BOUNDS_S."""
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.fine_counts[bisect_left(FINE_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def add(self, other: "Histogram") -> None:
        self.counts.update(other.counts)
        self.fine_counts.update(other.fine_counts)
        self.sum_s += other.sum_s


@dataclass(slots=True)
class FunctionCounts:
    """What has been counted of one function."""

    successes: int = 0
    """Jobs that succeeded."""
    failures: int = 0
    """Jobs that failed for good."""
    retries: int = 0
    """Failed attempts that were followed by another one."""
    run_time: Histogram = field(default_factory=Histogram)
    """One observation for each attempt that has ended in this process."""
    lateness: Histogram = field(default_factory=Histogram)
    """From the due time to the start of each attempt."""

    def add(self, other: "FunctionCounts") -> None:
        self.successes += other.successes
        self.failures += other.failures
        self.retries += other.retries
        self.run_time.add(other.run_time)
        self.lateness.add(other.lateness)


class FunctionCounters:
    """The counts since the last `take`, by label: the function's name, or OTHER."""

    def __init__(self, function_names: Iterable[str], internal: Collection[str] = ()) -> None:
        """Internal functions, and then the first other names up to MAX_FUNCTIONS, get a label of
        their own, in every process the same."""
        names = sorted(function_names, key=lambda name: (name not in internal, name))
        self._labels = {name: name for name in islice(names, MAX_FUNCTIONS)}
        self._hidden = self._labels.keys() & set(internal)
        self._counts: defaultdict[str, FunctionCounts] = defaultdict(FunctionCounts)

    def label_of(self, function_name: str) -> str:
        return self._labels.get(function_name, OTHER)

    def is_internal(self, label: str) -> bool:
        """Return whether a label is that of an internal function."""
        return label in self._hidden

    def of(self, function_name: str) -> FunctionCounts:
        """Return the counts of a function, to be increased."""
        return self._counts[self.label_of(function_name)]

    def take(self) -> Mapping[str, FunctionCounts]:
        """Return the counts, and start again from zero."""
        taken, self._counts = self._counts, defaultdict(FunctionCounts)
        return taken

    def put_back(self, counts: Mapping[str, FunctionCounts]) -> None:
        """Add counts that were taken but not stored."""
        for label, each in counts.items():
            self._counts[label].add(each)
