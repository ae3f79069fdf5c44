"""Generates docs/lifecycle.md from the table of transitions; run by `make docs`."""

from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, Transition, TransitionName
from ostinato.jobs.records import JobState

HEAD = """\
# Job lifecycle

A job is in one of five states. The table lists all transitions between them. Each transition is one
guarded update of one document, which also appends an event to the job's timeline, so the change and
its event are atomic. This page is generated from `jobs/lifecycle.py` by `make docs`; a test checks
that it is up to date.

A new job is `pending`, with one exception: a job that an action schedules after its own
cancellation was requested is stored as `canceled`. Only transitions change a job's state, with one
exception: a job whose document they cannot update (it is too large or malformed) fails by a
separate update.

- A transition *guarded by its state* has no effect if the job has already left that state.
- A transition *guarded by its attempt* is restricted to the worker that holds the current attempt.
  The attempt number increases with every start, so a worker with an older attempt cannot end the
  job.
- A transition that *yields to a cancel request* leads to `canceled` if the job's cancellation was
  requested.

| transition | from | to | guarded by its | yields to a cancel request | when |
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
