"""The quotas of owners in one process: reads them, and admits pending jobs and stored bytes."""

import asyncio
from typing import Final

from pydantic_core import to_json

from ostinato.jobs.allowances import Allowance, AllowanceRules, Allowances
from ostinato.jobs.mongo.quota_usage import QuotaReader
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.quotas import OpenSubscriptions, Quota, QuotaKind, QuotaSettings, limit_of

JOBS_MAX_AGE_S: Final = 1.0
BYTES_MAX_AGE_S: Final = 60.0  # a measurement reads every document that counts
JOBS_SHARE: Final = 100
BYTES_SHARE: Final = 10
DOCUMENT_BYTES: Final = 700  # of a pending job, without its arguments


class Reservation:
    """What one call or transaction adds, until it is stored or given up."""

    __slots__ = ("_owner", "_quotas", "_taken")

    def __init__(self, quotas: "OwnerQuotas", owner: str | None) -> None:
        self._quotas = quotas
        self._owner = owner if isinstance(owner, str) else None  # another program's may be a dict
        self._taken: list[tuple[Allowance, int]] = []

    async def add_job(self, new: NewJob, args_bytes: int | None = None) -> None:
        """Admit a pending job; `args_bytes` is the size of its arguments as JSON, if known.

        Raises QuotaExceeded.
        """
        if self._owner is None or new.canceled or new.function.is_chain:
            return
        size_bytes = len(to_json(new.args)) if args_bytes is None else args_bytes
        await self._take(self._quotas.jobs, 1)
        await self._take(self._quotas.bytes, DOCUMENT_BYTES + size_bytes)

    async def add_pending(self) -> None:
        """Admit a stored job that becomes pending again; raises QuotaExceeded."""
        await self._take(self._quotas.jobs, 1)

    async def add_data(self, *data: object) -> None:
        """Admit documents with this JSON; raises QuotaExceeded."""
        sizes = (DOCUMENT_BYTES + len(to_json(one)) for one in data)
        await self._take(self._quotas.bytes, sum(sizes))

    def release(self) -> None:
        """Note that a measurement finds what was added, or that it was given up."""
        for allowance, amount in self._taken:
            allowance.in_flight -= amount
        self._taken.clear()

    async def _take(self, allowances: Allowances, amount: int) -> None:
        if self._owner is None:
            return
        allowance = allowances.take_granted(self._owner, amount)
        if allowance is None:
            allowance = await allowances.take(self._owner, amount)
        if allowance is not None:
            self._taken.append((allowance, amount))

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class OwnerQuotas:
    """The quotas of all owners, as seen by one process."""

    def __init__(self, reader: QuotaReader, settings: QuotaSettings) -> None:
        self._reader = reader
        self._settings = settings
        self.jobs = Allowances(
            AllowanceRules(
                kind=QuotaKind.PENDING_JOBS,
                limit=limit_of(settings, QuotaKind.PENDING_JOBS),
                share=JOBS_SHARE,
                max_age_s=JOBS_MAX_AGE_S,
            ),
            reader.count_pending_jobs,
        )
        self.bytes = Allowances(
            AllowanceRules(
                kind=QuotaKind.STORED_BYTES,
                limit=limit_of(settings, QuotaKind.STORED_BYTES),
                share=BYTES_SHARE,
                max_age_s=BYTES_MAX_AGE_S,
            ),
            reader.measure_bytes,
        )

        self.subscriptions = OpenSubscriptions(limit_of(settings, QuotaKind.SUBSCRIPTIONS))

    def reserve(self, owner: str | None) -> Reservation:
        """Return an empty reservation, to be released after the write; None is the system."""
        return Reservation(self, owner)

    async def read(self, owner: str) -> list[Quota]:
        """Return every quota of the owner, in the order of the kinds.

        Pending jobs are as of at most a second ago, and bytes as of at most a minute ago.
        """
        return list(await asyncio.gather(*(self._read_one(owner, kind) for kind in QuotaKind)))

    async def _read_one(self, owner: str, kind: QuotaKind) -> Quota:
        limit = limit_of(self._settings, kind)
        match kind:
            case QuotaKind.PENDING_JOBS:
                used: float = await self.jobs.used(owner)
            case QuotaKind.STORED_BYTES:
                used = await self.bytes.used(owner)
            case QuotaKind.SUBSCRIPTIONS:
                used = self.subscriptions.count(owner)
            case _:
                used = await self._reader.count(kind, owner, limit)
        return Quota(kind=kind, used=used, limit=limit)
