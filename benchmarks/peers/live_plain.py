"""Serves Ostinato's API on uvicorn's WebSockets, where it cannot write frames directly."""

import os

import uvicorn

from ostinato.cli import tune_gc
from ostinato.jobs.settings import Settings
from ostinato.schema.server.app import create_app

if __name__ == "__main__":
    tune_gc()
    uvicorn.run(
        create_app(Settings()),
        port=int(os.environ["OSTINATO_PORT"]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_level="error",
    )
