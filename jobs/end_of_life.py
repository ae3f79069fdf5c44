"""The dates at which the vendors of the servers end the support of a version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from ostinato.jobs.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A server, and what its vendor has published about its versions."""

    name: str
    page: str
    """The vendor's page, for versions that the table does not contain."""
    ends: Mapping[tuple[int, int], date | None]
    """The last day of security fixes; None if the vendor supports the version without a date."""

    def check_support(self, version: str, today: date) -> Finding:
        """Check whether the vendor still supports a version, such as `8.0.12`."""
        subject, release = f"{self.name} support", _release(version)
        shown = f"{self.name} {version}"
        if release is None or release not in self.ends:
            detail = f"unknown: this check has no date for {shown}"
            fix = f"look up its end of life: {self.page}"
            return Finding(subject=subject, detail=detail, fix=fix, advised=True)
        end = self.ends[release]
        if end is None:
            detail = f"no end of life is published for {shown}"
            return Finding(subject=subject, detail=detail, advised=True)
        if today <= end:
            detail = f"{shown} gets security fixes until {end}"
            return Finding(subject=subject, detail=detail, advised=True)
        detail = f"{shown} has had no security fixes since {end}"
        fix = f"upgrade to a version with support: {self.page}"
        return Finding(subject=subject, detail=detail, fix=fix, advised=True)


def _release(version: str) -> tuple[int, int] | None:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


MONGODB: Final = Product(
    name="MongoDB",
    page="https://www.mongodb.com/legal/support-policy/lifecycles",
    ends={
        (6, 0): date(2025, 7, 31),
        (6, 1): date(2023, 2, 9),
        (6, 2): date(2023, 4, 24),
        (6, 3): date(2023, 8, 31),
        (7, 0): date(2027, 8, 31),
        (7, 1): date(2024, 1, 23),
        (7, 2): date(2024, 3, 27),
        (7, 3): date(2024, 10, 2),
        (8, 0): date(2029, 10, 31),
        (8, 1): date(2025, 9, 30),
        (8, 2): date(2026, 7, 31),
    },
)
"""Source: the page, read in November 2026. Minor releases before 8.2 are for Atlas only: the date
is that of the replacement there."""

VALKEY: Final = Product(
    name="Valkey",
    page="https://valkey.io/topics/releases",
    ends={
        (7, 2): date(2029, 4, 16),
        (8, 0): date(2027, 9, 15),
        (8, 1): date(2030, 3, 31),
        (9, 0): date(2028, 10, 21),
        (9, 1): date(2029, 5, 19),
    },
)
"""Source: the page, read in November 2026: a minor version has security fixes for 3 years (9.1 was
released on 2026-05-19), the last one of a major version for 5."""

REDIS: Final = Product(
    name="Redis",
    page="https://github.com/redis/redis/security",
    ends={
        (6, 2): date(2025, 12, 31),
        (7, 0): date(2024, 7, 29),
        (7, 4): None,
        (8, 2): None,
    },
)
"""Source: the page, read in November 2026: it lists versions without dates, and announces the end
of 6.2 for 2025. 7.0 left the list when 7.4 was released."""
