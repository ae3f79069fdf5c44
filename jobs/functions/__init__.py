"""The built-in functions: the patterns of scheduled work, written on the public function API only.

Importing the package registers them.
"""

from ostinato.jobs.functions import actions, batch, crons, errors, requests, tasks

__all__ = ["actions", "batch", "crons", "errors", "requests", "tasks"]
