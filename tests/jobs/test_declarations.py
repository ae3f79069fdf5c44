"""Declarations that decorators reject on import, and their error messages."""

import itertools
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from ostinato.jobs.arguments import build_arguments
from ostinato.jobs.context import Context
from ostinato.jobs.modules import BUILT_IN, import_problems
from ostinato.jobs.registry import registry

IMPORTS = (
    "from typing import Any; import ostinato; from ostinato import Context, RateLimit, Retry, "
    "action, batch, cron, mutation, on_failure, request_handler\n"
)
FUNCTION = "async def send(ctx: Context, user_id: str) -> None: ..."
HANDLER = "async def send(ctx: Context, items: list[Any]) -> None: ..."
BARE = "async def send(ctx: Context) -> None: ..."
CLIENT = "class Client: ...\n"

OPTIONS = {
    "retries=3": "@action has no option 'retries'; write retry=Retry(retries=3)",
    "timeout=5": "@action has no option 'timeout'; write timeout_ms=5_000",
    "publik=True": "@action has no option 'publik'; did you mean public?",
    "queue='mail'": "@action has no option 'queue'; choose the queue when scheduling the job",
    "zzz=1": "@action has no option 'zzz'; use one of concurrency, internal, name, on_failure, ",
    "name=5": "name must be a string of 1 to 200 characters, got 5",
    "name='send'": "'send' is not a valid function name; pass name=… of the form",
    "public='yes'": "public must be True or False, got 'yes'",
    "internal=1": "internal must be True or False, got 1",
    "roles='admin'": "roles is the text 'admin', which Python would split into letters; write "
    "roles=('admin',)",
    "roles=(1,)": "roles must be a tuple of texts, got (1,); write roles=('admin',)",
    "retry=3": "retry must be a Retry, got 3; write retry=Retry(retries=3)",
    "retry=True": "retry must be a Retry, got True; write retry=Retry(retries=3)",
    "timeout_ms=0": "timeout_ms must be a whole number of milliseconds from 1 to ",
    "timeout_ms='5'": "timeout_ms must be a whole number of milliseconds from 1 to ",
    "timeout_ms=True": "timeout_ms must be a whole number of milliseconds from 1 to ",
    "result_ttl_ms=-1": "result_ttl_ms must be a whole number of milliseconds from 0 to ",
    "result_ttl_ms=10**15": "result_ttl_ms must be a whole number of milliseconds from 0 to ",
    "concurrency=0": "concurrency must be a whole number from 1 to 1,000,000, got 0",
    "rate_limit=10": "rate_limit must be a RateLimit, got 10; write rate_limit=RateLimit(",
    "rate_limit=RateLimit(count=1, per_ms=1, key='user_id')": "the key of its rate_limit is "
    "'user_id', which is not one of its arguments; use an argument in camelCase (userId)",
    "on_failure='mail'": "on_failure must be an `async def` function (ctx, failed), got 'mail'",
    "'mail.send'": "@action takes its options by name, got 'mail.send'; write @action(name=…)",
}
SIGNATURES = {
    f"@action\n{BARE}": "@action needs parentheses; write @action()",
    f"@mutation\n{BARE}": "@mutation needs parentheses; write @mutation()",
    "@action()\ndef send(ctx: Context) -> None: ...": "@action needs `async def`, but it is a "
    "plain `def`; write `async def`, and run blocking code with `asyncio.to_thread`",
    "@action()\nasync def send(ctx: Context): yield": "@action needs a function that returns, but "
    "it yields; remove `yield`",
    "@action()\nclass send: ...": "@action needs an `async def` function, but it is a class",
    "@action()\nasync def send() -> None: ...": "it has no parameters; write `ctx: Context` as "
    "the first",
    "@action()\nasync def send(to: str) -> None: ...": "its first parameter is 'to'; write "
    "`ctx: Context` as the first",
    "@action()\nasync def send(*, ctx: Context) -> None: ...": "its first parameter is 'ctx'",
    f"@action()\n@mutation()\n{BARE}": "@action is above another @mutation or @action",
    "@action()\nasync def send(ctx: Context, to) -> None: ...": "its argument 'to' has no type; "
    "write `to: str`, for example",
    "@action()\nasync def send(ctx: Context, *to: str) -> None: ...": "its parameter `*to: str` "
    "cannot be passed by name; name each one",
    "@action()\nasync def send(ctx: Context, to: str, /) -> None: ...": "cannot be passed by name; "
    "remove the `/`",
    "@action()\nasync def send(ctx: Context, to: 'Nobody') -> None: ...": "an annotation cannot be "
    "evaluated (NameError: name 'Nobody' is not defined); import its names at run time",
    f"{CLIENT}@action()\nasync def send(ctx: Context, to: Client) -> None: ...": "its argument "
    "'to' has the type Client, which JSON cannot represent; use JSON types, a dataclass",
    "from collections.abc import Callable\n@action()\nasync def send(ctx: Context, to: "
    "Callable[[], int]) -> None: ...": "its argument 'to' has the type Callable, which JSON",
    "@action()\nasync def send(ctx: Context, _to: str) -> None: ...": "its argument '_to' has a "
    "name that Pydantic reserves; rename it",
    "@action()\nasync def send(ctx: Context, model_config: str) -> None: ...": "its argument "
    "'model_config' has a name that Pydantic reserves; rename it",
    "@action()\nasync def send(ctx: Context, model_dump: str) -> None: ...": "its argument "
    "'model_dump' is rejected by Pydantic (",
    "@action()\nasync def send(ctx: Context, a_b: int, aB: int) -> None: ...": "the arguments a_b "
    "and aB are both aB in JSON; rename one",
    "@action()\nasync def send(ctx: Context, to: str = None) -> None: ...": "the default of its "
    "argument 'to' is None, which its type does not allow",
}
CRONS = {
    f"@cron\n@action()\n{BARE}": "@cron needs parentheses; write @cron(every_ms=60_000)",
    f"@cron()\n@action()\n{BARE}": "@cron needs either a cronspec or every_ms",
    f"@cron('@daily', every_ms=1_000)\n@action()\n{BARE}": "@cron needs either",
    f"@cron(every=5)\n@action()\n{BARE}": "@cron has no option 'every'; write every_ms=60_000",
    f"@cron(every_ms='5')\n@action()\n{BARE}": "every_ms must be a whole number of milliseconds",
    f"@cron(every_ms=5)\n@action()\n{BARE}": "@cron: every_ms is 5; it must be 1000 (a second) to",
    f"@cron('61 * * * *')\n@action()\n{BARE}": "@cron: '61 * * * *'",
    f"@cron('@daily', tz='Mars')\n@action()\n{BARE}": "@cron: unknown time zone 'Mars'",
    f"@cron('@daily', args=[1])\n@action()\n{BARE}": "args must be a dict, got [1]",
    f"@cron('@daily', on_gap='skip')\n@action()\n{BARE}": "on_gap must be of the type "
    "ostinato.GapPolicy, got 'skip'",
    f"@cron('@daily', exclusions=['sunday'])\n@action()\n{BARE}": "exclusions must be of the type "
    "ostinato.Exclusions, got ['sunday']",
    f"from ostinato import *\n@cron('0 9 * * 7', exclusions=Exclusions(weekdays=(Weekday.SUNDAY,)))"
    f"\n@action()\n{BARE}": "@cron: exclusions: weekdays excludes every day of '0 9 * * 7'",
    f"@cron('@daily')\n@action()\n{FUNCTION}": "@cron: invalid arguments: args.userId: ",
    f"@action()\n@cron('@daily')\n{BARE}": "@cron is not above a registered function; write it "
    "above @mutation() or @action()",
}
HANDLERS = {
    f"@batch\n{HANDLER}": "@batch needs the batch's name; write @batch('orders')",
    f"@batch()\n{HANDLER}": "name must be a string of 1 to 200 characters, got ''",
    f"@batch('a', wher=1)\n{HANDLER}": "@batch has no option 'wher'; did you mean where?",
    f"@batch('a', where='all')\n{HANDLER}": "where must be a dict, got 'all'",
    f"@batch('a', roles='admin')\n{HANDLER}": "roles is the text 'admin'",
    f"@batch('a', pages=print)\n{HANDLER}": "pages must be an `async def` function (ctx, cursor, ",
    f"async def pages(ctx: Context, cursor: str): ...\n@batch('a', pages=pages)\n{HANDLER}": "the "
    "query `pages` of a batch is called with (ctx, cursor, size), but it takes (ctx, cursor)",
    "async def pages(ctx: Context, cursor: str, size: int): ...\n"
    f"@batch('a', pages=pages, where={{}})\n{HANDLER}": "@batch does not use where, since `pages` "
    "replaces the query; remove it",
    "@batch('a')\ndef send(ctx: Context, items: Any) -> None: ...": "@batch needs `async def`",
    f"@batch('a')\n{BARE}": "the handler of a batch is called with (ctx, items), but it takes ",
    f"@request_handler()\n{FUNCTION}": "@request_handler takes no options; write it without "
    "parentheses",
    "@request_handler\ndef send(ctx: Context, data: Any) -> Any: ...": "@request_handler needs "
    "`async def`",
    f"@request_handler\n{BARE}": "a request handler is called with (ctx, data), but it takes (ctx)",
    f"@on_failure()\n{BARE}": "@on_failure takes no options; write it without parentheses",
    "@on_failure\ndef send(ctx: Context, failed: Any) -> None: ...": "@on_failure needs "
    "`async def`",
    f"@on_failure\n{BARE}": "a failure hook is called with (ctx, failed), but it takes (ctx)",
    f"async def hook(ctx: Context): ...\n@action(on_failure=hook)\n{BARE}": "a failure hook is "
    "called with (ctx, failed), but it takes (ctx); write (ctx, failed)",
    f"def hook(ctx: Context, failed: Any): ...\n@action(on_failure=hook)\n{BARE}": "on_failure "
    "needs `async def`",
}

module_numbers = itertools.count()
Write = Callable[..., str]


@pytest.fixture
def write_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Return a function that writes a module and returns its name; restore the registry later."""
    registry.load([BUILT_IN])
    for field in ("_functions", "static_crons", "batches", "failure_hooks"):
        monkeypatch.setattr(registry, field, dict(getattr(registry, field)))
    monkeypatch.setattr(registry, "request_handler", None)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write_file(text: str, name: str = "", head: str = IMPORTS) -> str:
        name = name or f"declared_{next(module_numbers)}"
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(head + text + "\n")
        return name

    return write_file


def problem_of(name: str) -> str:
    [problem] = import_problems([name])
    assert "\n" not in problem
    return problem


@pytest.mark.parametrize("option", OPTIONS)
def test_an_invalid_option_is_rejected(write_module: Write, option: str) -> None:
    name = write_module(f"@action({option})\n{FUNCTION}")
    start = f"{name} cannot be imported: {name}.send ({name}.py:2): {OPTIONS[option]}"
    assert problem_of(name).startswith(start)


@pytest.mark.parametrize("text", [*SIGNATURES, *CRONS, *HANDLERS])
def test_the_error_for_a_misused_decorator_names_the_function_the_mistake_and_the_fix(
    write_module: Write, text: str
) -> None:
    name = write_module(text)
    problem = problem_of(name)
    assert problem.startswith(f"{name} cannot be imported: {name}.")
    assert {**SIGNATURES, **CRONS, **HANDLERS}[text] in problem


@pytest.mark.parametrize(
    "text",
    [
        "@action()\nasync def send(context: Context, to: str | None = None) -> None: ...",
        "@action()\nasync def send(_: 'ostinato.Context') -> None: ...",
        "@action()\nasync def send(ctx, to: int = 5) -> None: ...",
        f"@action(name=None, roles=['a'], timeout_ms=None, result_ttl_ms=0)\n{FUNCTION}",
        (
            "import functools\ndef wrapped(f): return functools.wraps(f)(lambda *a: f(*a))\n"
            f"@action()\n@wrapped\n{FUNCTION}"
        ),
        f"@cron(every_ms=1_000, args={{'userId': 'a'}})\n@action()\n{FUNCTION}",
        (
            "from ostinato import *\n@cron('@daily', on_gap=GapPolicy.SKIP, "
            "on_fold=FoldPolicy.BOTH, exclusions=Exclusions(calendar='x'))\n"
            f"@action()\n{BARE}"
        ),
        (
            "class Pages:\n  async def __call__(self, ctx, cursor, size): ...\n"
            f"@batch('pages', pages=Pages())\n{HANDLER}"
        ),
    ],
)
def test_valid_declarations_are_accepted(write_module: Write, text: str) -> None:
    assert import_problems([write_module(text)]) == []


async def test_an_argument_may_have_any_type_that_json_can_represent() -> None:
    async def pay(ctx: Context, amount: Decimal, day: date, payment: UUID) -> None: ...

    stored = {"amount": "1.10", "day": "2030-01-31", "payment": str(UUID(int=1))}
    arguments = build_arguments(pay)
    assert arguments.bind({**stored}) == stored
    called = {"amount": Decimal("1.10"), "day": date(2030, 1, 31), "payment": UUID(int=1)}
    assert arguments.unpack({**stored}) == called


@pytest.mark.parametrize("policy", ["Retry(retries='3')", "RateLimit(count=True, per_ms=1)"])
def test_a_policy_with_a_value_of_an_invalid_type_is_rejected(
    write_module: Write, policy: str
) -> None:
    assert "must be a whole number, got" in problem_of(write_module(f"POLICY = {policy}"))


def test_a_module_may_set_the_prefix_of_its_names(write_module: Write) -> None:
    text = f"__ostinato_module__ = 'orders'\n@action()\n{FUNCTION}"
    assert (
        import_problems(
            [write_module(text, "shop.tasks"), write_module(text.replace("orders", "x"))]
        )
        == []
    )
    assert registry.get("orders.send")
    assert registry.get("x.send")


def test_the_error_for_two_modules_of_one_name_names_both_files_and_the_fixes(
    write_module: Write,
) -> None:
    text = f"@action()\n{FUNCTION}"
    assert import_problems([write_module(text, "sales.mail")]) == []
    problem = problem_of(write_module(text, "billing.mail"))
    assert problem.endswith(
        "billing.mail.send (billing/mail.py:2): the name 'mail.send' is taken by sales.mail.send "
        "(sales/mail.py:2); write __ostinato_module__ = 'billing' at the top of billing/mail.py, "
        "or pass name=… to one of the two"
    )


def test_defining_a_function_twice_is_rejected(write_module: Write) -> None:
    name = write_module(f"@action()\n{FUNCTION}\n@action()\n{FUNCTION}")
    assert f"the name '{name}.send' is taken by {name}.send ({name}.py:2)" in problem_of(name)


@pytest.mark.parametrize("prefix", ["'my-orders'", "5", "'a.b'", "''"])
def test_an_invalid_prefix_is_rejected(write_module: Write, prefix: str) -> None:
    problem = problem_of(write_module(f"__ostinato_module__ = {prefix}\n@action()\n{FUNCTION}"))
    assert f"__ostinato_module__ must be a name such as 'orders', got {prefix}" in problem


def test_a_prefix_below_a_function_is_rejected(write_module: Write) -> None:
    name = write_module(f"@action()\n{FUNCTION}\n__ostinato_module__ = 'late'")
    assert f"__ostinato_module__ is set below it; move that line to the top of {name}.py" in (
        problem_of(name)
    )
