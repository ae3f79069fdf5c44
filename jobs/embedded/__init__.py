"""Owns the servers that Ostinato starts by itself: a mongod replica set and a Valkey."""

from ostinato.jobs.embedded.process import EmbeddedError
from ostinato.jobs.embedded.services import Services, start_services

__all__ = ["EmbeddedError", "Services", "start_services"]
