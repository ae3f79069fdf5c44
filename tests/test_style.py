"""Checks sizes, names and conventions that the linter does not check."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {"schema", "resolvers", "jobs"}
FILE_LINES, FUNCTION_LINES, PARAMETERS, TEST_LINES, COMPONENT_LINES = 350, 40, 5, 15, 100
COMMENTS_PER_100_LINES = 5
VAGUE_NAMES = {"utils", "helpers", "common", "manager", "base", "service", "impl", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
COMMENT = re.compile(r"^\s*#", re.MULTILINE)
HOME_PATH = re.compile(r"(?<![\w.])/(home|root|Users)/\w")
PACKAGE_URL = re.compile(r"^\s*--((extra-)?index-url|find-links)|\"resolved\": \"[a-z+]+:|@ file:")
MAY_SLEEP = {"processes.py"}
SMALL_LINES = 60
SMALL_WITH_A_REASON = {
    "ostinato/__main__.py": "run with -m",
    "jobs/embedded/__main__.py": "run with -m",
    "jobs/embedded/parent_death_signal.py": "run as a script, before any other import",
    "jobs/lifecycle_page.py": "run with -m, generates a page of docs",
    "jobs/worker/worker_processes.py": "runs in the parent of workers, which loads no engine",
    "jobs/mongo/unresolved_jobs.py": "writes jobs, which only this package may",
    "ostinato/cli/alerts.py": "the commands for alerts, beside those for requests and batches",
    "ostinato/cli/batches.py": "the commands for batches, beside those for requests and alerts",
    "ostinato/cli/project.py": "the command that writes a project; `main.py` starts servers",
    "ostinato/project_template/setup_mongo.py": "`ostinato init` writes it",
    "ostinato/project_template/test_orders.py": "`ostinato init` writes it",
    "ostinato/testing/asyncio_fixtures.py": "loaded by the pytest plugin beside pytest-asyncio",
    "ostinato/testing/database.py": "also empties the database of our own tests",
}
"""Modules of at most SMALL_LINES lines that at most one other module imports."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files(*patterns: str) -> list[Path]:
    """Return tracked and untracked files, without ignored ones such as build output."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file())


PYTHON = _files("*.py")
PRODUCT = [
    path
    for path in PYTHON
    if path.relative_to(ROOT).parts[0] in {"ostinato", *LAYERS} and path.name != "__init__.py"
]
TESTS = [path for path in PYTHON if "tests" in path.relative_to(ROOT).parts]
TEXTS = [path for path in _files() if path.suffix not in {".webp", ".ico", ".svg", ".woff2"}]


@cache
def _text(path: Path) -> str:
    return path.read_text()


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of a module, itself first."""
    return tuple(ast.walk(ast.parse(_text(path))))


@pytest.fixture(scope="module", autouse=True)
def _cleared_node_cache() -> Iterator[None]:
    """Free the nodes, which would slow down garbage collection in later tests."""
    yield
    _nodes.cache_clear()


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in _nodes(path) if isinstance(node, Function))


def _lines(node: Function) -> int:
    """Count the lines below the signature, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def _parameters(node: Function) -> int:
    named = [
        argument.arg
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    ]
    return len([name for name in named if name not in {"self", "cls"}])


def _is_fixture_or_field(node: Function) -> bool:
    """Return whether a framework calls the function with named arguments."""
    decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    return any(
        word in decorators for word in ("fixture", "strawberry", "mutation", "action", "command")
    )


def _where(path: Path, node: ast.AST) -> str:
    return f"{_name(path)}:{getattr(node, 'lineno', 0)}"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_module_starts_with_a_docstring() -> None:
    assert [_name(path) for path in PYTHON if _text(path) and not _docstring(path)] == []


def test_a_file_has_at_most_350_lines() -> None:
    sizes = {_name(path): len(_text(path).splitlines()) for path in PYTHON}
    assert {path: size for path, size in sizes.items() if size > FILE_LINES} == {}


def test_a_function_has_at_most_40_lines() -> None:
    sizes = {_where(path, node): _lines(node) for path in PYTHON for node in _functions(path)}
    assert {place: size for place, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_a_function_has_at_most_5_parameters() -> None:
    found = [
        _where(path, node)
        for path in PYTHON
        for node in _functions(path)
        if _parameters(node) > PARAMETERS and not _is_fixture_or_field(node)
    ]
    assert found == []


def test_a_test_has_at_most_15_lines() -> None:
    tests = (pair for path in TESTS for pair in ((path, node) for node in _functions(path)))
    sizes = {_where(p, node): _lines(node) for p, node in tests if node.name.startswith("test_")}
    assert {place: size for place, size in sizes.items() if size > TEST_LINES} == {}


def test_a_component_has_at_most_100_lines() -> None:
    sizes = {_name(path): len(_text(path).splitlines()) for path in _files("*.tsx")}
    assert {path: size for path, size in sizes.items() if size > COMPONENT_LINES} == {}


def test_comments_are_few() -> None:
    many = [path for path in PYTHON if len(COMMENT.findall(_text(path))) > _allowed_comments(path)]
    assert [_name(path) for path in many if _comments(path) > _allowed_comments(path)] == []


def _comments(path: Path) -> int:
    """Count comment lines, without lines of strings that look like comments."""
    tokens = tokenize.generate_tokens(io.StringIO(_text(path)).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    return sum(1 for token in comments if token.line.lstrip().startswith("#"))


def _allowed_comments(path: Path) -> float:
    """Allow at least three in a file of any length."""
    return max(3, len(_text(path).splitlines()) * COMMENTS_PER_100_LINES / 100)


def test_no_module_has_a_vague_name() -> None:
    assert [_name(path) for path in PYTHON if {path.stem, path.parent.name} & VAGUE_NAMES] == []


def test_a_small_module_has_two_importers_or_a_reason() -> None:
    """A reader opens one file instead of two if a small module is part of its only importer."""
    importers = _importers()
    small = {path for path in PRODUCT if len(path.read_text().splitlines()) <= SMALL_LINES}
    single_importer = {_name(path) for path in small if len(importers[_module(path)]) <= 1}
    assert single_importer == SMALL_WITH_A_REASON.keys()


def _importers() -> dict[str, set[str]]:
    """Return the modules of the product that import each module of the product."""
    importers: dict[str, set[str]] = {_module(path): set() for path in PRODUCT}
    for path in PRODUCT:
        for name in {*_imports(path), *_imported_names(path)} & importers.keys():
            importers[name].add(_module(path))
    return importers


def _module(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names if names[0] == "ostinato" else ("ostinato", *names))


def _imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_layers_are_imported_as_ostinato_subpackages() -> None:
    """A second copy of a module would have a registry of its own."""
    imported = ((path, name) for path in PYTHON for name in _imports(path))
    assert [_name(path) for path, name in imported if name.partition(".")[0] in LAYERS] == []


def test_no_inner_module_is_named_like_a_layer() -> None:
    inner = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in {"resolvers", "schema"}]
    assert [_name(path) for path in inner if path.name in {"jobs.py", "schema.py"}] == []


def test_cli_imports_no_library_reserved_for_a_layer() -> None:
    gateways = {"strawberry", "starlette", "motor", "pymongo", "bson", "arq", "redis", "croniter"}
    modules = (ROOT / "ostinato" / "cli").glob("*.py")
    names = [name for path in modules for name in _imports(path)]
    assert {name.partition(".")[0] for name in names} & gateways == set()


def test_tests_do_not_sleep() -> None:
    assert [_name(path) for path in TESTS if path.name not in MAY_SLEEP and _sleeps(path)] == []


def _imports(path: Path) -> Iterator[str]:
    for node in _nodes(path):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _docstring(path: Path) -> str | None:
    module = _nodes(path)[0]
    assert isinstance(module, ast.Module)
    return ast.get_docstring(module)


def _sleeps(path: Path) -> bool:
    called = (node.func for node in _nodes(path) if isinstance(node, ast.Call))
    return any(
        "sleep" in (getattr(function, "attr", ""), getattr(function, "id", ""))
        for function in called
    )


def test_no_code_is_marked_as_unfinished() -> None:
    code = [path for path in TEXTS if path.suffix in {".py", ".ts", ".tsx"}]
    assert [_name(p) for p in code if p != Path(__file__) and UNFINISHED.search(_text(p))] == []


def test_no_file_contains_a_home_directory() -> None:
    assert [_name(path) for path in TEXTS if HOME_PATH.search(_text(path))] == []


def test_lock_files_contain_no_index_url() -> None:
    locks = [path for path in TEXTS if path.suffix == ".lock" or path.name == "package-lock.json"]
    lines = (line for path in locks for line in _text(path).splitlines())
    assert [line for line in lines if PACKAGE_URL.search(line)] == []
