"""Owns the types of list settings: comma-separated names, queues and addresses."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from ostinato.jobs.lanes import QUEUE_PATTERN

ANY_ADDRESS = "*"


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _address(value: str) -> str:
    try:
        if value != ANY_ADDRESS:
            ip_network(value)
    except ValueError as error:
        raise ValueError(f"must be an address, a network or {ANY_ADDRESS}: {error}") from None
    return value


Split = BeforeValidator(_split)
QueueName = Annotated[str, Field(pattern=QUEUE_PATTERN)]
Names = Annotated[tuple[str, ...], NoDecode, Split]
QueueNames = Annotated[tuple[QueueName, ...], NoDecode, Split]
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], NoDecode, Split]
