"""The command line, run as a process."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import jwt
import pytest

from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from tests.conftest import JWT_SECRET
from tests.forking import ProcessOptions, run_forked
from tests.processes import OSTINATO, ROOT, environment

Done: TypeAlias = "subprocess.CompletedProcess[str]"

FINISHED_WITHIN_S = 30.0


def executed(
    *args: str, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> Done:
    """Run the command line to its end, with only these OSTINATO variables."""
    return subprocess.run(
        [*OSTINATO, *args],
        env=_only(variables),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=FINISHED_WITHIN_S,
        check=False,
    )


def ostinato(
    *args: str, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> Done:
    """Like `executed`, but in a fork that has imported everything already."""
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        return executed(*args, folder=folder, variables=variables)
    with TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        options = ProcessOptions(env=_only(variables), out=out, err=err, folder=folder)
        return run_forked(args, options, FINISHED_WITHIN_S)


def _only(variables: Mapping[str, str] | None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OSTINATO_")}
    return env | dict(variables or {})


def test_help_names_every_command() -> None:
    help_text = executed("--help").stdout
    assert all(
        name in help_text
        for name in ("init", "dev", "api", "worker", "functions", "token", "doctor")
    )


@pytest.mark.parametrize("command", ["dev", "api"])
def test_help_of_a_server_names_its_port(command: str) -> None:
    help_text = " ".join(executed(command, "--help").stdout.split())
    assert "OSTINATO_PORT" in help_text
    assert "8000" in help_text


def test_importing_ostinato_imports_no_driver_before_a_name_is_used() -> None:
    code = "import ostinato, sys; a = 'pymongo' in sys.modules; ostinato.action"
    code += "; print(a, 'pymongo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True\n"


def test_full_disk_is_one_line_without_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*OSTINATO, "functions"],
            env=_only(None),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=FINISHED_WITHIN_S,
            check=False,
        )
    assert (process.returncode, process.stderr) == (1, "Cannot write: No space left on device\n")


def test_token_contains_subject_roles_and_lifetime() -> None:
    args = ("token", "--sub", "carol", "--role", "admin", "--role", "ops", "--ttl", "60")
    printed = executed(*args, variables={"OSTINATO_JWT_SECRET": JWT_SECRET}).stdout.strip()
    claims = jwt.decode(printed, JWT_SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["roles"]) == ("carol", ["admin", "ops"])
    assert claims["exp"] - claims["iat"] == 60


def test_token_without_a_secret_names_the_variable_to_set() -> None:
    done = ostinato("token", "--sub", "carol")
    assert done.returncode == 1
    assert "set OSTINATO_JWT_SECRET" in done.stderr


def test_invalid_setting_is_one_line_without_a_traceback() -> None:
    done = ostinato("doctor", variables={"OSTINATO_PORT": "many"})
    assert done.returncode == 1
    assert done.stderr.startswith("OSTINATO_PORT: ")
    assert "Traceback" not in done.stderr


def test_invalid_secret_is_reported_with_the_message_of_ostinato() -> None:
    done = ostinato("token", "--sub", "carol", variables={"OSTINATO_JWT_SECRET": "short"})
    assert done.stderr == "OSTINATO_JWT_SECRET: a secret must have at least 32 bytes\n"


def test_doctor_finds_no_problem_with_the_embedded_servers(settings: Settings) -> None:
    done = ostinato("doctor", variables=environment(settings))
    assert done.returncode == 0, done.stdout
    assert "problem" not in done.stdout


def test_doctor_reports_a_variable_that_is_not_a_setting(settings: Settings) -> None:
    wrong = {"OSTINATO_FUNCTION": "my.module", "OSTINATO_XYZ": "1"}
    done = ostinato("doctor", variables=environment(settings) | wrong)
    assert done.returncode == 1
    assert "OSTINATO_FUNCTION is not a setting" in done.stdout
    assert "did you mean OSTINATO_FUNCTIONS?" in done.stdout
    assert "OSTINATO_XYZ is not a setting" in done.stdout


@pytest.fixture
def failing(settings: Settings) -> Iterator[dict[str, str]]:
    """Return the variables of a process that logs its warnings and exits."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        update = {"mongo_url": f"mongodb://127.0.0.1:{port}/?timeoutMS=100", "port": port}
        yield environment(settings.model_copy(update=update))


STARTED = pytest.mark.parametrize("command", ["api", "worker", "dev"])


@STARTED
def test_start_warns_once_of_each_variable_that_is_not_a_setting(
    command: str, failing: dict[str, str], tmp_path: Path
) -> None:
    wrong = {"OSTINATO_FUNCTION": "my.module", "OSTINATO_XYZ": "1"}
    stderr = ostinato(command, folder=tmp_path, variables=failing | wrong).stderr
    assert stderr.count("OSTINATO_FUNCTION is not a setting") == 1
    assert "did you mean OSTINATO_FUNCTIONS?" in stderr
    assert stderr.count("OSTINATO_XYZ is not a setting") == 1


@STARTED
def test_start_warns_of_a_module_that_registers_no_function(
    command: str, failing: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("async def send() -> None: ...")
    (tmp_path / "listing.py").write_text("import tasks")
    lines = ["from ostinato import Context, action", "@action()"]
    lines += ["async def send(ctx: Context) -> None: ..."]
    (tmp_path / "tasks.py").write_text("\n".join(lines))
    modules = {"OSTINATO_FUNCTIONS": "mine,listing,tasks"}
    stderr = ostinato(command, folder=tmp_path, variables=failing | modules).stderr
    assert stderr.count("registers no function") == stderr.count("mine registers no function") == 1
    assert "put a decorator, such as @action() or @mutation()" in stderr


@pytest.mark.parametrize("command", [["api"], ["worker"]])
def test_supervised_process_leaves_the_warnings_to_its_parent(
    command: list[str], failing: dict[str, str]
) -> None:
    wrong = {"OSTINATO_FUNCTION": "my.module"}
    stderr = ostinato(*command, "--supervised", variables=failing | wrong).stderr
    assert "is not a setting" not in stderr


def test_doctor_reports_unreachable_servers_with_the_fix(settings: Settings) -> None:
    dead = f"127.0.0.1:{free_port()}"
    urls = {"mongo_url": f"mongodb://{dead}/", "redis_url": f"redis://{dead}/0"}
    done = ostinato("doctor", variables=environment(settings.model_copy(update=urls)))
    assert done.returncode == 1
    assert f"does not answer ({dead}: [Errno 111] Connection refused)" in done.stdout
    assert "correct OSTINATO_MONGO_URL" in done.stdout
    assert "correct OSTINATO_REDIS_URL" in done.stdout


COMMANDS = pytest.mark.parametrize("command", ["api", "worker", "functions", "dev"])


@COMMANDS
def test_startup_rejects_a_missing_module(command: str, tmp_path: Path) -> None:
    done = ostinato(command, folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "no_such.module"})
    assert done.returncode == 1
    assert done.stderr == (
        "OSTINATO_FUNCTIONS: no_such.module cannot be imported: ModuleNotFoundError: No module "
        f"named 'no_such'; the current folder, {tmp_path}, is on sys.path: run the command in your "
        "project's folder, or install the module\n"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [("order", "orders"), ("ordres.mail", "orders.mail"), ("orders.mial", "orders.mail")],
)
def test_missing_module_is_reported_with_the_most_similar_one(
    written: str, meant: str, tmp_path: Path
) -> None:
    (tmp_path / "orders").mkdir()
    for name in ("__init__.py", "mail.py"):
        (tmp_path / "orders" / name).touch()
    done = ostinato("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": written})
    assert f"; did you mean {meant!r}?\n" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such", "ModuleNotFoundError: No module named 'no_such' (mine.py, line 1)"),
        ("x = 1\nx / 0", "ZeroDivisionError: division by zero (mine.py, line 2)"),
        ("def", "SyntaxError: invalid syntax (mine.py, line 1)"),
    ],
)
def test_failing_module_is_one_line_that_names_the_place(
    text: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(text)
    done = ostinato("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "mine"})
    assert done.returncode == 1
    assert done.stderr == f"OSTINATO_FUNCTIONS: mine cannot be imported: {reason}\n"


def test_doctor_reports_each_module_that_cannot_be_imported(settings: Settings) -> None:
    update = {"functions": ("your.module", "no_such.mine")}
    done = ostinato("doctor", variables=environment(settings.model_copy(update=update)))
    assert done.returncode == 1
    assert "problem  functions: your.module cannot be imported: ModuleNotFoundError" in done.stdout
    assert "problem  functions: no_such.mine cannot be imported: ModuleNotFoundError" in done.stdout
    assert "replica set" in done.stdout


@pytest.mark.parametrize("command", ["api", "worker"])
def test_startup_fails_with_an_unreachable_mongodb(command: str, settings: Settings) -> None:
    update = {"mongo_url": f"mongodb://127.0.0.1:{free_port()}/"}
    done = ostinato(command, variables=environment(settings.model_copy(update=update)))
    assert done.returncode == 1
    assert "correct OSTINATO_MONGO_URL" in done.stderr


def test_api_reports_everything_that_is_missing_at_once(settings: Settings) -> None:
    dead = f"mongodb://127.0.0.1:{free_port()}/"
    update = {"mongo_url": dead, "redis_url": "http://cache", "jwt_secret": None}
    done = ostinato("api", variables=environment(settings.model_copy(update=update)))
    assert done.returncode == 1
    variables = ("MONGO_URL", "REDIS_URL", "JWT_SECRET", "CURSOR_SECRET")
    assert [name for name in variables if f"OSTINATO_{name}" not in done.stderr] == []


def test_functions_of_a_module_in_the_current_folder_are_listed(tmp_path: Path) -> None:
    lines = ["from ostinato import Context, action", "@action(public=True)"]
    lines += ["async def say_hello(ctx: Context) -> None:", '    """Greet."""']
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = executed("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "mine"})
    assert done.returncode == 0, done.stderr
    assert "mine.sayHello" in done.stdout


def test_printed_tables_escape_characters_that_change_the_terminal(tmp_path: Path) -> None:
    lines = ["from ostinato import Context, action", "@action(public=True)"]
    lines += ["async def call(ctx: Context) -> None:", '    """\\x1b[31m \\u202e \\u200b."""']
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = ostinato("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "mine"})
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("mine.call ")]
    assert row.endswith(r"\x1b[31m \u202e \u200b.")


def test_printed_findings_escape_characters_that_change_the_terminal(settings: Settings) -> None:
    wrong = {"OSTINATO_X\x1b[31m\u202e": "1"}
    stdout = ostinato("doctor", variables=environment(settings) | wrong).stdout
    assert r"OSTINATO_X\x1b[31M\u202e is not a setting" in stdout


def test_batches_are_listed_with_their_required_roles(tmp_path: Path) -> None:
    lines = ["from ostinato import Context, batch", "@batch('orders', roles=('auditor',))"]
    lines += ["async def archive(ctx: Context, items: list) -> None:", '    """Archive a page."""']
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = ostinato("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "mine"})
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines() if " batch " in line]
    assert ["orders", "batch", "auditor", "Archive a page."] in rows
    assert "items" in [row[0] for row in rows]


@COMMANDS
def test_misused_decorator_is_one_line_at_startup(command: str, tmp_path: Path) -> None:
    lines = ["from ostinato import Context, action", "@action(retry=3)"]
    lines += ["async def send(ctx: Context) -> None: ..."]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = ostinato(command, folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "mine"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "OSTINATO_FUNCTIONS: mine cannot be imported: mine.send (mine.py:2): retry must be a "
        "Retry, got 3; write retry=Retry(retries=3)\n"
    )


def test_user_may_have_packages_named_like_product_folders(tmp_path: Path) -> None:
    for name in ("jobs", "schema", "resolvers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True")
    lines = ["import jobs, resolvers, schema", "from ostinato import Context, action"]
    lines += ["assert jobs.MINE and resolvers.MINE and schema.MINE"]
    lines += ["@action()", "async def greet(ctx: Context) -> None: ..."]
    (tmp_path / "jobs" / "tasks.py").write_text("\n".join(lines))
    done = executed("functions", folder=tmp_path, variables={"OSTINATO_FUNCTIONS": "jobs.tasks"})
    assert "tasks.greet" in done.stdout, done.stderr


async def test_revoke_stores_a_revocation_without_an_admin(settings: Settings) -> None:
    variables = environment(settings)
    for args, identifier in ((("--sub", "ann"), "sub:ann"), (("--jti", "a1"), "jti:a1")):
        done = await asyncio.to_thread(ostinato, "revoke", *args, variables=variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Revoked {identifier}: ")
    async with Engine.open(settings) as engine:
        found = {each.id: each.revoked_by for each in await engine.revocations.find_all()}
    assert found == {"sub:ann": None, "jti:a1": None}


@pytest.mark.parametrize("args", [(), ("--sub", "ann", "--jti", "a1")])
def test_revoke_needs_a_user_or_a_token(args: tuple[str, ...]) -> None:
    done = ostinato("revoke", *args)
    assert done.returncode == 1
    assert "either --sub or --jti" in done.stderr


def test_exec_without_a_running_dev_or_a_command_prints_what_to_do(tmp_path: Path) -> None:
    done = ostinato("exec", "env", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "start it in another terminal" in done.stderr
    variables = {"OSTINATO_MONGO_URL": "mongodb://127.0.0.1:1"}
    done = ostinato("exec", "no-such-command", folder=tmp_path, variables=variables)
    assert "Cannot run 'no-such-command': No such file or directory" in done.stderr
