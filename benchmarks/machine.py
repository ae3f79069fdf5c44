"""The environment of the measurements: the machine, the versions, the load."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import postgres
from benchmarks.processes import CouldNotRun
from benchmarks.systems import NODE, NODE_PEERS, OBAN_PYTHON, PEERS_PYTHON
from ostinato.jobs.embedded.binaries import find_mongod, find_valkey

GIBIBYTE = 1_073_741_824
MISSING = "not installed"
OUR_PACKAGES = ("ostinato", "motor", "pymongo", "strawberry-graphql", "starlette", "uvicorn")
PYTHON_PEERS = (
    *("arq", "saq", "celery", "redis", "uvloop"),
    *("pgqueuer", "asyncpg", "procrastinate", "dbos", "psycopg"),
)
NODE_PACKAGES = (
    "bullmq",
    "ioredis",
    "agenda",
    "@agendajs/mongo-backend",
    "graphql-yoga",
    "graphql-ws",
    "ws",
    "mongodb",
)
PRINT_VERSIONS = """
import json, platform, sys
from importlib.metadata import version
found = {name: version(name) for name in sys.argv[1:]}
if "oban" in found:
    found["Python of oban"] = platform.python_version()
print(json.dumps(found))
"""


def machine() -> dict[str, str]:
    """Return the machine's description and its current load."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
    }


def versions() -> dict[str, str]:
    """Return the versions of all measured systems, or that they are not installed."""
    found = {"Python": platform.python_version(), "Node": _version_of(NODE, "--version")}
    found["mongod"] = _version_of(str(find_mongod()), "--version")
    found["Valkey"] = _version_of(str(find_valkey()), "--version")
    found |= {name: _version(name) for name in OUR_PACKAGES}
    found["PostgreSQL"] = _postgres()
    for python, names in ((PEERS_PYTHON, PYTHON_PEERS), (OBAN_PYTHON, ("oban",))):
        peers = _version_of(python, "-c", PRINT_VERSIONS, *names)
        found |= json.loads(peers) if peers.startswith("{") else {", ".join(names): peers}
    return found | {name: _node_version(name) for name in NODE_PACKAGES}


def _postgres() -> str:
    try:
        return postgres.version()
    except CouldNotRun:
        return MISSING


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


def _node_version(name: str) -> str:
    path = NODE_PEERS / "node_modules" / name / "package.json"
    return str(json.loads(path.read_text())["version"]) if path.exists() else MISSING


def _version_of(*command: str) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return MISSING
    line = ended.stdout.splitlines()[0]
    found = re.search(r"v?=?(\d+\.\d+\.\d+)", line)
    return line if line.startswith("{") or not found else found[1]
