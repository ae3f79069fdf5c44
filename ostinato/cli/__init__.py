"""The command line: `main` runs it."""

from ostinato.cli.main import COMMAND, main, raise_open_file_limit, tune_gc
from ostinato.cli.project import TEMPLATE

__all__ = ["COMMAND", "TEMPLATE", "main", "raise_open_file_limit", "tune_gc"]
