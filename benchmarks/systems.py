"""The measured systems: their commands, when their queue is empty, and what they make durable."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from redis import Redis

from benchmarks.processes import ROOT, Program
from benchmarks.servers import Servers, query_number

PEERS_PYTHON: Final = str(ROOT / ".venv" / "peers" / "bin" / "python")
OBAN_PYTHON: Final = str(ROOT / ".venv" / "peers-oban" / "bin" / "python")
"""Its own, because Oban needs a newer Python than we do."""
NODE_PEERS: Final = ROOT / "benchmarks" / "peers" / "node"
NODE: Final = shutil.which("node") or "node"
DATABASE: Final = "bench"
SECRET: Final = "a-secret-of-the-benchmark-0123456789abcdef"  # noqa: S105 - no real secret

SLOW_POLL_S: Final = 0.1
ROW_POLL_S: Final = 0.02
MEMORY_ONLY: Final = "nothing: this Valkey keeps no journal"
ALL_JOURNALED: Final = "every state and event, with the result, journaled before it counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    name: str
    durable: str
    """What is on disk when a job is done."""
    command: tuple[str, ...]
    url: Callable[[Servers], str]
    is_empty: Callable[[Servers], bool]
    """Whether no job is waiting or running."""
    env: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    poll_s: float = 0.0
    """The pause before each call of `is_empty`, if calls without one would slow the system down."""
    rescue: str = ""
    """What starts the jobs of a killed worker again."""

    def program(self, servers: Servers) -> Program:
        env = {"BENCH_URL": self.url(servers), "BENCH_MARKS": str(servers.marks)}
        if self.ours:
            env |= our_env(servers)
        return Program(self.command, {**env, **self.env})


def our_env(servers: Servers) -> dict[str, str]:
    """Return the settings of Ostinato's processes."""
    return {
        "OSTINATO_MONGO_URL": servers.mongo_url,
        "OSTINATO_REDIS_URL": servers.redis_url,
        "OSTINATO_DATABASE": DATABASE,
        "OSTINATO_FUNCTIONS": "benchmarks.noop",
        "OSTINATO_LOG_LEVEL": "WARNING",
        "OSTINATO_JWT_SECRET": SECRET,
        "OSTINATO_OPERATIONS_PER_SECOND": "0",  # one user sends all operations
        "BENCH_MARKS": str(servers.marks),
    }


def _ours_is_empty(servers: Servers, database: str = DATABASE) -> bool:
    """Query the two small indexes in the order in which a job passes through them."""
    jobs = servers.mongo[database]["jobs"]
    due = {"state": "pending", "scheduledTime": {"$lte": datetime.now(UTC)}}
    if jobs.find_one(due, hint="due") is not None:
        return False
    return jobs.find_one({"state": "inProgress"}, hint="running") is None


def _zset(name: str) -> Callable[[Servers], bool]:
    return lambda servers: _count(servers.redis, "zcard", name) == 0


def _count(redis: Redis, command: str, *keys: str) -> int:
    return sum(query_number(redis, command, key) for key in keys)


def _celery_is_empty(servers: Servers) -> bool:
    waiting = _count(servers.redis, "llen", "celery")
    return waiting + _count(servers.redis, "hlen", "unacked") == 0


def _bullmq(redis: Callable[[Servers], Redis]) -> Callable[[Servers], bool]:
    keys = ("bull:bench:wait", "bull:bench:active")
    return lambda servers: _count(redis(servers), "llen", *keys) == 0


def _agenda_is_empty(servers: Servers) -> bool:
    jobs = servers.mongo["agenda"]["agendaJobs"]
    return jobs.find_one({"lastFinishedAt": None}) is None


def _has_no(table: str, states: str = "") -> Callable[[Servers], bool]:
    """Return whether a table of PostgreSQL has no row, or none in the states."""
    query = f"SELECT count(*) FROM (SELECT FROM {table} {states} LIMIT 1) AS found"  # noqa: S608 - constants
    return lambda servers: servers.postgres.query_number(query) == 0


def _python(module: str, python: str = PEERS_PYTHON) -> tuple[str, ...]:
    return (python, "-m", f"benchmarks.peers.{module}")


def _node(module: str) -> tuple[str, ...]:
    return (NODE, str(NODE_PEERS / f"{module}.mjs"))


OURS: Final = System(
    name="Ostinato, actions",
    durable=ALL_JOURNALED,
    command=_python("ostinato", sys.executable),
    url=lambda servers: servers.mongo_url,
    is_empty=_ours_is_empty,
    ours=True,
    poll_s=SLOW_POLL_S,
    rescue="9.5 s without the worker's heartbeat by default, and a sweep each second",
)


def ours_in(database: str) -> System:
    """Return Ostinato's actions with another database."""
    return replace(
        OURS,
        env={"OSTINATO_DATABASE": database},
        is_empty=lambda servers: _ours_is_empty(servers, database),
    )


OUR_MUTATIONS: Final = System(
    name="Ostinato, mutation functions",
    durable="the same, and the function's writes, in one transaction",
    command=OURS.command,
    url=OURS.url,
    is_empty=_ours_is_empty,
    env={"BENCH_FUNCTION": "noop.mutate"},
    ours=True,
    poll_s=SLOW_POLL_S,
)
OUR_CALLS: Final = replace(OURS, name="Ostinato, 2,000 calls at once")
OUR_BULK: Final = replace(OURS, name="Ostinato, schedule_many", env={"BENCH_BULK": "1"})
ARQ: Final = System(
    name="arq, default",
    durable=MEMORY_ONLY,
    command=_python("arq"),
    url=lambda servers: servers.redis_url,
    is_empty=_zset("arq:queue"),
)
ARQ_TUNED: Final = System(
    name="arq, tuned",
    durable=MEMORY_ONLY,
    command=ARQ.command,
    url=ARQ.url,
    is_empty=ARQ.is_empty,
    env={"BENCH_TUNED": "1"},
    rescue="the expiry of a key in Redis, 310 s after the start by default",
)
SAQ: Final = System(
    name="SAQ",
    durable=MEMORY_ONLY,
    command=_python("saq"),
    url=ARQ.url,
    is_empty=_zset("saq:default:incomplete"),
)
BULLMQ: Final = System(
    name="BullMQ, no journal",
    durable=MEMORY_ONLY,
    command=_node("bullmq"),
    url=ARQ.url,
    is_empty=_bullmq(lambda servers: servers.redis),
)
BULLMQ_FSYNCED: Final = System(
    name="BullMQ, appendfsync always",
    durable="its current state and result, journaled",
    command=_node("bullmq"),
    url=lambda servers: servers.fsynced_url,
    is_empty=_bullmq(lambda servers: servers.fsynced),
    rescue="the expiry of its lock, 30 s, and a check every 30 s by default",
)
AGENDA: Final = System(
    name="Agenda on MongoDB",
    durable="its current state, journaled; no result, no history",
    command=_node("agenda"),
    url=lambda servers: servers.mongo_url,
    is_empty=_agenda_is_empty,
    poll_s=SLOW_POLL_S,
)
CELERY: Final = System(
    name="Celery on Redis",
    durable=MEMORY_ONLY,
    command=_python("celery"),
    url=ARQ.url,
    is_empty=_celery_is_empty,
)
PGQUEUER: Final = System(
    name="PgQueuer on PostgreSQL",
    durable="a log of its states, fsynced up to 100 ms after the job; the job itself is deleted",
    command=_python("pgqueuer"),
    url=lambda servers: servers.postgres.url,
    is_empty=_has_no("pgqueuer"),
    poll_s=ROW_POLL_S,
    rescue="its heartbeat, 30 s by default",
)
OBAN: Final = System(
    name="Oban for Python on PostgreSQL",
    durable="its current state, fsynced; no result, no history",
    command=_python("oban", OBAN_PYTHON),
    url=PGQUEUER.url,
    is_empty=_has_no("oban_jobs", "WHERE state IN ('available', 'executing')"),
    poll_s=ROW_POLL_S,
    rescue="a time that no job may run longer than, 300 s, and a check every 60 s by default",
)
PROCRASTINATE: Final = System(
    name="Procrastinate on PostgreSQL",
    durable="its current state and each state's time, fsynced; no result",
    command=_python("procrastinate"),
    url=PGQUEUER.url,
    is_empty=_has_no("procrastinate_jobs", "WHERE status IN ('todo', 'doing')"),
    poll_s=ROW_POLL_S,
    rescue="the worker's heartbeat, 30 s by default, and an own task, here each minute",
)
DBOS: Final = System(
    name="DBOS on PostgreSQL",
    durable="its current state and result, fsynced",
    command=_python("dbos"),
    url=PGQUEUER.url,
    is_empty=_has_no("dbos.workflow_status", "WHERE status IN ('ENQUEUED', 'PENDING')"),
    poll_s=ROW_POLL_S,
    rescue="the start of a process with the same executor id",
)
ALL: Final = (
    *(OURS, OUR_MUTATIONS, ARQ, ARQ_TUNED, SAQ),
    *(BULLMQ, BULLMQ_FSYNCED, AGENDA, CELERY),
    *(PGQUEUER, OBAN, PROCRASTINATE, DBOS),
)
