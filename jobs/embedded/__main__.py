"""Checks whether the embedded server binaries run on this machine."""

import subprocess
import sys

from ostinato.jobs.embedded.binaries import find_mongod, find_valkey
from ostinato.jobs.embedded.process import EmbeddedError


def main() -> None:
    try:
        for program in (find_mongod(), find_valkey()):
            subprocess.run([str(program), "--version"], check=True, stdout=subprocess.DEVNULL)
    except (EmbeddedError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
