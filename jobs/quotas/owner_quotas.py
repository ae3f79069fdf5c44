"""The quotas of owners in one process: reads them, and admits pending jobs and stored bytes."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.errors import QuotaExceeded
from ostinato.jobs.mongo.stored_json import size_bytes
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.quotas.allowances import MAX_OWNERS, Allowance, AllowanceRules, Allowances
from ostinato.jobs.quotas.counts import QuotaReader
from ostinato.jobs.quotas.limits import OpenSubscriptions, Quota, QuotaKind, QuotaSettings, limit_of

READ_MAX_AGE_S: Final = 1.0  # reading all quotas of an owner at their limits takes 0.1 s
JOBS_RULES: Final = AllowanceRules(kind=QuotaKind.PENDING_JOBS, share=0.01, max_age_s=1.0)
BYTES_RULES: Final = AllowanceRules(
    kind=QuotaKind.STORED_BYTES,
    share=0.1,
    max_age_s=60.0,  # a measurement reads every document that counts
)
DOCUMENT_BYTES: Final = 700  # of a pending job, without its arguments
CONTENDED_S: Final = 5.0  # how long a group waits for others that may roll back


class Reservation:
    """What one call or transaction adds, until it is stored or given up."""

    __slots__ = ("_owner", "_quotas", "_taken", "was_contended")

    def __init__(self, quotas: "OwnerQuotas", owner: str | None) -> None:
        self._quotas = quotas
        self._owner = owner if isinstance(owner, str) else None  # another program's may be a dict
        self._taken: list[tuple[Allowance, int]] = []
        self.was_contended = False
        """Whether there was no room because of what others have in flight, and may roll back."""

    def counts(self, new: NewJob) -> bool:
        """Return whether a job counts towards the quotas of its owner."""
        return self._owner is not None and _is_counted(new)

    async def add_job(self, new: NewJob, stored_bytes: int) -> None:
        """Admit a pending job whose document has this size; raises QuotaExceeded."""
        if not self.counts(new):
            return
        await self._take(self._quotas.jobs, 1)
        await self._take(self._quotas.bytes, stored_bytes)

    async def add_jobs(self, new_jobs: Sequence[NewJob]) -> None:
        """Admit pending jobs of the owner: all of them, or none. Raises QuotaExceeded."""
        if self._owner is None:
            return
        sizes = [DOCUMENT_BYTES + size_bytes(new.args) for new in new_jobs if _is_counted(new)]
        try:
            await self._take(self._quotas.jobs, len(sizes))
            await self._take(self._quotas.bytes, sum(sizes))
        except BaseException:
            self.give_up()
            raise

    async def add_stored_job(self, job_bytes: int) -> None:
        """Admit a stored job of this size that becomes pending again; raises QuotaExceeded."""
        await self._take(self._quotas.jobs, 1)
        await self._take(self._quotas.bytes, job_bytes)

    async def add_bytes(self, stored_bytes: int) -> None:
        """Admit lines of the logs of jobs; raises QuotaExceeded."""
        await self._take(self._quotas.bytes, stored_bytes)

    async def add_documents(
        self, documents: Iterable[Mapping[str, object]], *, jobs: int = 0
    ) -> None:
        """Admit documents of other kinds with their internal jobs; raises QuotaExceeded."""
        stored_bytes = jobs * DOCUMENT_BYTES + sum(map(size_bytes, documents))
        await self._take(self._quotas.bytes, stored_bytes)

    def release(self) -> None:
        """Note that a measurement finds what was added, or that it may have been given up."""
        for allowance, amount in self._taken:
            allowance.in_flight -= amount
        self._taken.clear()

    def give_up(self) -> None:
        """Note that what was added was rolled back."""
        for allowance, amount in self._taken:
            allowance.give_up(amount)
        self._taken.clear()

    async def _take(self, allowances: Allowances, amount: int) -> None:
        if self._owner is None:
            return
        allowance = allowances.take_granted(self._owner, amount)
        if allowance is None:
            try:
                allowance = await allowances.take(self._owner, amount)
            except QuotaExceeded:
                self.was_contended = allowances.could_fit(self._owner, amount, self._taken)
                raise
        if allowance is not None:
            self._taken.append((allowance, amount))

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, error_class: type[BaseException] | None, *_: object) -> None:
        if error_class is not None and issubclass(error_class, QuotaExceeded):
            self.give_up()  # nothing was written
        self.release()


@dataclass(slots=True, eq=False)
class _LastRead:
    """The quotas of an owner when they were last read."""

    quotas: list[Quota] = field(default_factory=list)
    begun_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def _is_counted(new: NewJob) -> bool:
    return not (new.canceled or new.function.is_chain)


class GroupReservation:
    """The reservations of a group of jobs of any owners."""

    def __init__(self, quotas: "OwnerQuotas") -> None:
        self._quotas = quotas
        self._reservations: list[Reservation] = []

    async def add_jobs(self, new_jobs: Sequence[NewJob]) -> None:
        """Admit pending jobs: all of them, or none.

        If they have no room only because of others that may roll back, waits up to CONTENDED_S for
        these. Raises QuotaExceeded.
        """
        owned: defaultdict[str | None, list[NewJob]] = defaultdict(list)
        for new in new_jobs:
            owned[new.owner].append(new)
        now, backoff = asyncio.get_running_loop().time, Backoff(0.01, 0.5, jitter=(0.5, 1))
        ends_at = now() + CONTENDED_S
        while True:
            try:
                return await self._add_once(owned)
            except QuotaExceeded:
                is_contended = any(each.was_contended for each in self._reservations)
                self._reservations.clear()
                if not is_contended or now() >= ends_at:
                    raise
            await backoff.wait()

    async def _add_once(self, owned: Mapping[str | None, Sequence[NewJob]]) -> None:
        try:
            for owner, each in owned.items():
                reservation = self._quotas.reserve(owner)
                self._reservations.append(reservation)
                await reservation.add_jobs(each)
        except BaseException:
            for reservation in self._reservations:
                reservation.give_up()
            raise

    def release(self) -> None:
        """Release the reservations: the jobs were stored, or given up."""
        for reservation in self._reservations:
            reservation.release()
        self._reservations.clear()


class OwnerQuotas:
    """The quotas of all owners, as seen by one process."""

    def __init__(self, reader: QuotaReader, settings: QuotaSettings) -> None:
        self._reader = reader
        self._settings = settings
        self.jobs = Allowances(
            JOBS_RULES, limit_of(settings, JOBS_RULES.kind), reader.count_pending_jobs
        )
        self.bytes = Allowances(
            BYTES_RULES, limit_of(settings, BYTES_RULES.kind), reader.measure_bytes
        )
        self._last_reads: LRUCache[str, _LastRead] = LRUCache(MAX_OWNERS)
        self.subscriptions = OpenSubscriptions(limit_of(settings, QuotaKind.SUBSCRIPTIONS))

    def reserve(self, owner: str | None) -> Reservation:
        """Return an empty reservation, to be released after the write; None is the system."""
        return Reservation(self, owner)

    async def read(self, owner: str) -> list[Quota]:
        """Return every quota of the owner, in the order of the kinds.

        They are as of at most two seconds ago, and bytes as of at most a minute ago.
        """
        last = self._last_reads.setdefault(owner, _LastRead())
        async with last.lock:
            now = asyncio.get_running_loop().time()
            if now - last.begun_at > READ_MAX_AGE_S:
                reads = (self._read_one(owner, kind) for kind in QuotaKind)
                last.quotas, last.begun_at = list(await asyncio.gather(*reads)), now
            return last.quotas

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
