"""Runs the JavaScript test clients."""

import asyncio
import fcntl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent.parent / "node"
CLIENT = FOLDER.parent.parent / "frontend-demo" / "client"
LINE_S = 30.0


def install_clients() -> None:
    """Install the pinned clients once for all workers of the test runner."""
    with (FOLDER / ".npmrc").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = FOLDER / "node_modules" / ".package-lock.json"
        if _is_older(installed, FOLDER / "package-lock.json"):
            _npm(FOLDER, "ci")
        if any(_is_older(CLIENT / "dist" / "index.js", source) for source in CLIENT.glob("src/*")):
            _npm(CLIENT, "run", "build")


def _is_older(built: Path, source: Path) -> bool:
    return not built.exists() or built.stat().st_mtime < source.stat().st_mtime


def _npm(folder: Path, *arguments: str) -> None:
    subprocess.run(["npm", "--no-audit", "--no-fund", *arguments], cwd=folder, check=True)  # noqa: S607 # npm is on PATH


class Script:
    """A running script that prints one JSON object per line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> Any:
        """Return the next line, None at the end."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LINE_S):
            text = await self._process.stdout.readline()
        return orjson.loads(text) if text else None


@asynccontextmanager
async def node(script: str, *arguments: str) -> AsyncIterator[Script]:
    """Run a script of tests/node and end it with the block."""
    process = await asyncio.create_subprocess_exec(
        "node", str(FOLDER / script), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # otherwise its pipe warns when it is garbage collected
