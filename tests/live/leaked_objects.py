"""Counts the objects that disconnected clients left in memory."""

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
from ostinato.schema.execution.executors import EventExecutor

OSTINATO_MODULES: Final = ("ostinato.jobs.changefeed.", "ostinato.resolvers.", "ostinato.schema.")
BOUNDED_TYPES: Final = (Partition, Viewer)
"""Types of bounded caches: the ring and verified tokens."""
EXECUTION_TYPES: Final = (EventExecutor, CollectedFields, FieldDetails)
SERVER_TYPES: Final = (Request, WebSocket)
ASYNCIO_TYPES: Final = (asyncio.Task, asyncio.Future, AsyncGeneratorType, CoroutineType)


def count_live_objects(*types: type[Any]) -> Counter[str]:
    """Count objects of these types.

    By default, count those of live queries, operations, servers and asyncio, except of bounded
    caches.
    """
    gc.collect()
    found = Counter(map(type, gc.get_objects()))
    return Counter(
        {type_.__qualname__: found[type_] for type_ in types or filter(_is_client_type, found)}
    )


def _is_client_type(type_: type[Any]) -> bool:
    others = (*EXECUTION_TYPES, *SERVER_TYPES, *ASYNCIO_TYPES)
    is_ours = str(type_.__module__).startswith(OSTINATO_MODULES)
    return type_ in others or (is_ours and type_ not in BOUNDED_TYPES)
