"""The embedded servers: a mongod replica set and Valkey."""

from ostinato.jobs.embedded.process import EmbeddedError
from ostinato.jobs.embedded.servers import EmbeddedServers, start_servers

__all__ = ["EmbeddedError", "EmbeddedServers", "start_servers"]
