"""Counts what clients have left behind in this process."""

import gc
from collections import Counter
from typing import Final

OF_READERS: Final = (
    "Group",
    "Beginning",
    "Member",
    "Way",
    "Subscription",
    "Feed",
    "Leg",
    "RequestContext",
)
OF_CLIENTS: Final = ("Connection", "Channel", "Operations", "Stream", "WebSocket", "WireProtocol")
OF_EXECUTION: Final = ("EventExecutor", "CollectedFields", "FieldDetails")
OF_ASYNCIO: Final = ("Task", "Future", "async_generator", "coroutine")


def alive(*kinds: str) -> Counter[str]:
    """Count our objects and asyncio's, without what the ring keeps by design."""
    gc.collect()
    found = Counter(type(each).__qualname__ for each in gc.get_objects())
    wanted = kinds or (*OF_READERS, *OF_CLIENTS, *OF_EXECUTION, *OF_ASYNCIO)
    return Counter({name: found[name] for name in wanted})
