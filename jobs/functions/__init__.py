"""The built-in functions: patterns of scheduled work, written with the public function API only.

Importing the package registers them.
"""

from ostinato.jobs.functions import actions, batch, crons, errors, requests, tasks

__all__ = ["actions", "batch", "crons", "errors", "requests", "tasks"]
