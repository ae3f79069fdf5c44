"""The tests. Their runner and the processes they start cache bytecode, as with `make test`."""

import os
import sys

# Without the cache, each worker of the runner would rewrite the asserts of all tests, and each
# process would compile our modules: 50 s of CPU time in a run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
