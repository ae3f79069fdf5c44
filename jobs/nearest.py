"""Finds the known names that are most similar to a misspelled one, quickly for many names."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from heapq import nlargest
from typing import Final

MAX_COMPARED_CHARS: Final = 200
CANDIDATES: Final = 5  # a comparison in full takes 20 times as long as one of letter pairs


def nearest(name: str, known: Iterable[str], min_similarity: float = 0.6) -> str | None:
    """Return the most similar of the `known` names; None if none is similar enough.

    Compares only the first 200 characters of `name`.
    """
    given = name[:MAX_COMPARED_CHARS]
    similarity, best = max(
        ((SequenceMatcher(None, given, each).ratio(), each) for each in candidates(given, known)),
        default=(0.0, ""),
    )
    return best if similarity >= min_similarity else None


def candidates(name: str, known: Iterable[str]) -> Sequence[str]:
    """Return the five `known` names that have the most letter pairs in common with `name`."""
    pairs = _pairs(name[:MAX_COMPARED_CHARS])
    return nlargest(CANDIDATES, known, key=lambda each: _share(pairs, _pairs_of_known(each)))


def _share(first: frozenset[str], second: frozenset[str]) -> float:
    return 2 * len(first & second) / (len(first) + len(second))


def _pairs(name: str) -> frozenset[str]:
    padded = f" {name.lower()} "
    return frozenset(padded[i : i + 2] for i in range(len(padded) - 1))


_pairs_of_known: Final = lru_cache(maxsize=4096)(_pairs)
