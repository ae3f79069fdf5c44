"""Counts objects of clients that remain in this process."""

import asyncio
import gc
from collections import Counter
from types import AsyncGeneratorType, CoroutineType
from typing import Any, Final

from graphql.execution.collect_fields import CollectedFields, FieldDetails
from starlette.requests import Request
from starlette.websockets import WebSocket

from ostinato.jobs.changefeed.ring import Partition
from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.prepared_operation import EventExecutor

OURS: Final = ("ostinato.jobs.changefeed.", "ostinato.resolvers.", "ostinato.schema.")
BOUNDED: Final = (Partition, Viewer)
"""Classes of bounded caches: the ring and verified tokens."""
OF_EXECUTION: Final = (EventExecutor, CollectedFields, FieldDetails)
OF_SERVERS: Final = (Request, WebSocket)
OF_ASYNCIO: Final = (asyncio.Task, asyncio.Future, AsyncGeneratorType, CoroutineType)


def alive(*kinds: type[Any]) -> Counter[str]:
    """Count objects of these classes; by default, of every class of live queries, operations,
    servers and asyncio, except those of bounded caches."""
    gc.collect()
    found = Counter(type(each) for each in gc.get_objects())
    return Counter({k.__qualname__: found[k] for k in kinds or filter(_is_of_clients, found)})


def _is_of_clients(kind: type[Any]) -> bool:
    others = (*OF_EXECUTION, *OF_SERVERS, *OF_ASYNCIO)
    is_ours = str(kind.__module__).startswith(OURS)
    return kind in others or (is_ours and kind not in BOUNDED)
