"""Holds what each subscription was told to what the database says happened. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.chaos.live.facts import Facts
from benchmarks.chaos.live.views import Found, Life, Story, Told
from benchmarks.chaos.live.wants import BATCH, JOB, JOBS, LEFT, REQUEST, Step
from ostinato.jobs.records import Job

MISSING: Final = "an event was not told"
DOUBLED: Final = "an event was told twice"
DISORDERED: Final = "events were told out of order"
STRANGE: Final = "something was told that was not asked for"
STALE: Final = "an object was older than its event"
WRONG_VIEW: Final = "a view is not what the database holds"
MISPLACED: Final = "a message came where it makes no sense"
FAILED: Final = "a subscription failed"
STUCK: Final = "a subscription did not come to the end"

Flaw = tuple[str, str]
"""Which promise was broken, and how."""

Event = tuple[str, int]
"""How a step is told: its kind and the event's number."""


def flaws(story: Story, facts: Facts) -> Iterator[Flaw]:
    """Judge one subscription."""
    for failure in story.failures:
        yield FAILED, failure
    for said in story.misplaced:
        yield MISPLACED, said
    for life in story.lives:
        is_last = life is story.lives[-1]
        if story.want.root in (JOBS, JOB):
            yield from _shown(facts, life)
            yield from _events(story, facts, life, is_last=is_last)
        else:
            yield from _writes(story, facts, life, is_last=is_last)
    if not story.has_arrived:
        yield STUCK, f"after {story.messages} messages"
    else:
        yield from _view(story, facts)


def _shown(facts: Facts, life: Life) -> Iterator[Flaw]:
    """Each object is one that there was, and not from before the event that it comes with."""
    for name, messages in life.told.items():
        for kind, seq, found in messages:
            if found is None or name not in facts.jobs:
                continue
            shown = _last_seq(facts.jobs[name], found)
            if shown is None:
                yield STRANGE, f"{name} was never {found}"
            elif seq is not None and shown < seq:
                yield STALE, f"{kind} {seq} of {name} shows {found}"


def _last_seq(job: Job, found: Found) -> int | None:
    """Say which event made a job what a message shows; None if none did.

    Writes without an event, such as of progress, raise the version, too.
    """
    silent = job.version - len(job.timeline)
    versions = range(found["version"] - silent, found["version"] + 1)
    seqs = [
        event.seq
        for event in job.timeline
        if event.seq in versions
        and (event.state.name, event.attempt) == (found["state"], found["attempt"])
    ]
    return seqs[-1] if seqs else None


def _events(story: Story, facts: Facts, life: Life, *, is_last: bool) -> Iterator[Flaw]:
    steps_of = facts.steps(story.want)
    for name in life.told.keys() - steps_of.keys():
        yield STRANGE, f"{name}: {life.told[name][0]}"
    names = steps_of.keys() if story.want.is_list else [str(story.want.id)]
    for name in names:
        told = _told(life.told.get(name, ()))
        yield from _sequence(name, told)
        first = _first(story, facts, life, name)
        may = [step for step in steps_of[name] if step.event.seq >= first]
        if unknown := set(told) - {_event(step) for step in may}:
            yield STRANGE, f"{name}: {sorted(unknown)}"
        must = [_event(step) for step in _due(story, life, name, may)]
        if not is_last:
            must = [event for event in must if told and event[1] <= told[-1][1]]
        if story.want.coalesce:
            must = must[-1:] if is_last else []
        if missed := set(must) - set(told):
            yield MISSING, f"{name}: {sorted(missed, key=_seq)} of {must}, told were {told}"


def _told(messages: Sequence[Told]) -> list[Event]:
    return [(kind, seq) for kind, seq, _ in messages if seq is not None]


def _event(step: Step) -> Event:
    return step.kind, step.event.seq


def _seq(event: Event) -> int:
    return event[1]


def _sequence(name: str, told: Sequence[Event]) -> Iterator[Flaw]:
    numbers = [seq for _, seq in told]
    if len(set(numbers)) < len(numbers):
        yield DOUBLED, f"{name}: {told}"
    elif numbers != sorted(numbers):
        yield DISORDERED, f"{name}: {told}"


def _first(story: Story, facts: Facts, life: Life, name: str) -> int:
    """Give the first event that may be told: what the snapshot shows is not."""
    if story.want.from_seq is not None:
        return story.want.from_seq
    row = life.rows.get(name)
    shown = None if row is None else _last_seq(facts.jobs[name], row)
    return 1 if shown is None else shown + 1


def _due(story: Story, life: Life, name: str, may: Sequence[Step]) -> Sequence[Step]:
    """Give what has to be told of what may be.

    Of a job that no snapshot could show: all that happened when READY had come, and all behind the
    first event that was told.
    """
    if life.ready_at is None:
        return ()
    has_no_states = "states" not in story.want.filter
    if name in life.rows or (has_no_states and story.has_whole_snapshot(life)):
        return may
    told = _told(life.told.get(name, ()))
    first = told[0][1] if told else float("inf")
    return [
        step for step in may if step.event.seq >= first or step.event.at.timestamp() > life.ready_at
    ]


def _writes(story: Story, facts: Facts, life: Life, *, is_last: bool) -> Iterator[Flaw]:
    """Each write of what has no timeline raises its version by one, and is told once.

    Two messages may show an object in the wrong order: clients keep the newest.
    """
    for name, messages in life.told.items():
        before = _version(life, name)
        for number, each in enumerate(messages, before + 1):
            if each.found is not None and each.found["version"] < number:
                yield STALE, f"{name}: {each.found} after {number} writes"
        if sum(each.kind == LEFT for each in messages) > 1:
            yield DOUBLED, f"{name} left more than once"
    if is_last and life.ready_at is not None:
        yield from _counts(story, facts, life)


def _version(life: Life, name: str) -> int:
    """Give the version that the snapshot showed."""
    row = life.rows.get(name)
    return 0 if row is None else int(row["version"])


def _counts(story: Story, facts: Facts, life: Life) -> Iterator[Flaw]:
    for name, version in facts.present(story.want).items():
        told = life.told.get(name, ())
        writes = version - _version(life, name)
        if len(told) > writes:
            yield DOUBLED, f"{name}: {len(told)} messages of {writes} writes"
        is_exact = name in life.rows or story.has_whole_snapshot(life)
        if len(told) < writes and is_exact and story.want.root not in (REQUEST, BATCH):
            yield MISSING, f"{name}: {len(told)} messages of {writes} writes"


def _view(story: Story, facts: Facts) -> Iterator[Flaw]:
    life, present = story.lives[-1], facts.present(story.want)
    shown = {name: found["version"] for name, found in life.view.items()}
    for name in shown.keys() - present.keys():
        yield WRONG_VIEW, f"it shows {name}, which is not there: {life.view[name]}"
    for name in shown.keys() & present.keys():
        if shown[name] != present[name]:
            yield WRONG_VIEW, f"{name} is of version {present[name]}, not {shown[name]}"
    for name in present.keys() - shown.keys():
        if story.has_whole_snapshot(life) or name in life.told or not story.want.is_list:
            yield WRONG_VIEW, f"it does not show {name}"
