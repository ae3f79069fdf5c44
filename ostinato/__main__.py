"""Runs the command line: `python -m ostinato`."""

from ostinato.cli import main

main()
