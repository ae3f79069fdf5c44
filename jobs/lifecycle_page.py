"""Generates docs/lifecycle.md from the table of transitions; `make docs` writes it."""

from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, Transition, TransitionName
from ostinato.jobs.records import JobState

HEAD = """\
# The life of a job

A job is in one of five states. What follows is every move between them; nothing else changes a
job's state. Each move is one guarded update of one document that also appends one event to the
job's timeline, so the change and its event are one. This page is made from `jobs/lifecycle.py`
by `make docs`, and a test holds it to the code.

- A move *guarded by its state* finds nothing to do if somebody else moved first.
- A move *guarded by its attempt* can be made by the holder of the present attempt only. The
  attempt's number rises at every start: whoever held an older one has nothing left to finish.
- *Canceled instead*: once the job's cancellation was asked for, the move leads to `canceled`.

| move | from | to | guarded by its | canceled instead, if asked | when |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    rows = "".join(_row(name, transition) for name, transition in TRANSITIONS.items())
    ended = ", ".join(f"`{state}`" for state in JobState if state in FINAL_STATES)
    return f"{HEAD}{rows}\nFinal states: {ended}.\n"


def _row(name: TransitionName, transition: Transition) -> str:
    sources = ", ".join(f"`{state}`" for state in JobState if state in transition.sources)
    guard = "attempt" if transition.fenced else "state"
    instead = "yes" if transition.yields_to_cancel else "no"
    target = f"`{transition.target}`"
    return f"| `{name}` | {sources} | {target} | {guard} | {instead} | {transition.meaning} |\n"


if __name__ == "__main__":
    print(page(), end="")
