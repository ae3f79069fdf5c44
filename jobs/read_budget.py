"""The limit of what one operation reads of large documents. No I/O."""

import asyncio
from dataclasses import dataclass, field

from ostinato.jobs.errors import PayloadTooLarge


@dataclass(slots=True)
class ReadBudget:
    """The bytes that the reads of one operation may have; they are read one after another."""

    limit_bytes: int
    user: str
    """Whose operation it is: users take turns."""
    read_bytes: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def charge(self, size_bytes: int) -> None:
        """Count documents that were read; raises PayloadTooLarge."""
        self.read_bytes += size_bytes
        self.require_left()

    def require_left(self) -> None:
        """Raise PayloadTooLarge if the budget is spent."""
        if self.read_bytes > self.limit_bytes:
            raise PayloadTooLarge(
                f"the objects of the response have more than {self.limit_bytes} bytes: request "
                "smaller pages or fewer fields, or raise OSTINATO_MAX_RESPONSE_BYTES on the server"
            )
