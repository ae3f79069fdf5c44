"""Compares the messages of each subscription with the database. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.chaos.live.final_state import FinalState
from benchmarks.chaos.live.subscriptions import BATCH, JOB, JOBS, LEFT, REQUEST, Step
from benchmarks.chaos.live.views import Change, Session, ShownObject, SubscriptionHistory
from ostinato.jobs.records import Job

MISSING: Final = "an event was not delivered"
DUPLICATE: Final = "an event was delivered twice"
OUT_OF_ORDER: Final = "events were delivered out of order"
UNEXPECTED: Final = "an unexpected event was delivered"
STALE: Final = "an object is older than its event"
WRONG_VIEW: Final = "a view differs from the database"
MISPLACED: Final = "a message came at the wrong point"
FAILED: Final = "a subscription failed"
NOT_CAUGHT_UP: Final = "a subscription did not catch up"

Flaw = tuple[str, str]
"""The violated check, and a description."""

Event = tuple[str, int]
"""The kind of a message, and the number of its event."""


def flaws(subscription: SubscriptionHistory, final_state: FinalState) -> Iterator[Flaw]:
    """Check one subscription."""
    for failure in subscription.failures:
        yield FAILED, failure
    for description in subscription.misplaced:
        yield MISPLACED, description
    for session in subscription.sessions:
        is_last = session is subscription.sessions[-1]
        if subscription.spec.root in (JOBS, JOB):
            yield from _objects(final_state, session)
            yield from _events(subscription, final_state, session, is_last=is_last)
        else:
            yield from _writes(subscription, final_state, session, is_last=is_last)
    if not subscription.has_caught_up:
        yield NOT_CAUGHT_UP, f"after {subscription.messages} messages"
    else:
        yield from _view(subscription, final_state)


def _objects(final_state: FinalState, session: Session) -> Iterator[Flaw]:
    """Each object was once stored like this, and is not older than its event."""
    for name, messages in session.received.items():
        for kind, seq, found in messages:
            if found is None or name not in final_state.jobs:
                continue
            shown = _last_seq(final_state.jobs[name], found)
            if shown is None:
                yield UNEXPECTED, f"{name} was never {found}"
            elif seq is not None and shown < seq:
                yield STALE, f"{kind} {seq} of {name} shows {found}"


def _last_seq(job: Job, found: ShownObject) -> int | None:
    """Return the number of the event after which a job was as shown; None if it never was.

    Writes without an event, such as progress, increment the version too.
    """
    without_event = job.version - len(job.timeline)
    versions = range(found["version"] - without_event, found["version"] + 1)
    seqs = [
        event.seq
        for event in job.timeline
        if event.seq in versions
        and (event.state.name, event.attempt) == (found["state"], found["attempt"])
    ]
    return seqs[-1] if seqs else None


def _events(
    subscription: SubscriptionHistory, final_state: FinalState, session: Session, *, is_last: bool
) -> Iterator[Flaw]:
    steps_of = final_state.steps(subscription.spec)
    for name in session.received.keys() - steps_of.keys():
        yield UNEXPECTED, f"{name}: {session.received[name][0]}"
    names = steps_of.keys() if subscription.spec.is_list else [str(subscription.spec.id)]
    for name in names:
        received = _events_of(session.received.get(name, ()))
        yield from _sequence(name, received)
        first = _first_seq(subscription, final_state, session, name)
        allowed = [step for step in steps_of[name] if step.event.seq >= first]
        if unknown := set(received) - {_event(step) for step in allowed}:
            yield UNEXPECTED, f"{name}: {sorted(unknown)}"
        required = [_event(step) for step in _required(subscription, session, name, allowed)]
        if not is_last:
            required = [event for event in required if received and event[1] <= received[-1][1]]
        if subscription.spec.coalesce:
            required = required[-1:] if is_last else []
        if missed := set(required) - set(received):
            yield MISSING, f"{name}: {sorted(missed, key=_seq)} of {required}, received {received}"


def _events_of(messages: Sequence[Change]) -> list[Event]:
    return [(kind, seq) for kind, seq, _ in messages if seq is not None]


def _event(step: Step) -> Event:
    return step.kind, step.event.seq


def _seq(event: Event) -> int:
    return event[1]


def _sequence(name: str, received: Sequence[Event]) -> Iterator[Flaw]:
    numbers = [seq for _, seq in received]
    if len(set(numbers)) < len(numbers):
        yield DUPLICATE, f"{name}: {received}"
    elif numbers != sorted(numbers):
        yield OUT_OF_ORDER, f"{name}: {received}"


def _first_seq(
    subscription: SubscriptionHistory, final_state: FinalState, session: Session, name: str
) -> int:
    """Return the first event that may be delivered, after those in the snapshot."""
    if subscription.spec.from_seq is not None:
        return subscription.spec.from_seq
    row = session.rows.get(name)
    shown = None if row is None else _last_seq(final_state.jobs[name], row)
    return 1 if shown is None else shown + 1


def _required(
    subscription: SubscriptionHistory, session: Session, name: str, allowed: Sequence[Step]
) -> Sequence[Step]:
    """Return the events that must be delivered.

    For a job that no snapshot contains: the events after READY, and those after the first
    delivered event.
    """
    if session.ready_at is None:
        return ()
    has_no_states = "states" not in subscription.spec.filter
    if name in session.rows or (has_no_states and subscription.has_whole_snapshot(session)):
        return allowed
    received = _events_of(session.received.get(name, ()))
    first = received[0][1] if received else float("inf")
    return [
        step
        for step in allowed
        if step.event.seq >= first or step.event.at.timestamp() > session.ready_at
    ]


def _writes(
    subscription: SubscriptionHistory, final_state: FinalState, session: Session, *, is_last: bool
) -> Iterator[Flaw]:
    """Each write of a record without a timeline increments its version and is delivered once.

    Two messages may show an object in the wrong order: clients keep the newest.
    """
    for name, messages in session.received.items():
        before = _version(session, name)
        for number, change in enumerate(messages, before + 1):
            if change.found is not None and change.found["version"] < number:
                yield STALE, f"{name}: {change.found} after {number} writes"
        if sum(change.kind == LEFT for change in messages) > 1:
            yield DUPLICATE, f"{name} left more than once"
    if is_last and session.ready_at is not None:
        yield from _counts(subscription, final_state, session)


def _version(session: Session, name: str) -> int:
    """Return the version in the snapshot."""
    row = session.rows.get(name)
    return 0 if row is None else int(row["version"])


def _counts(
    subscription: SubscriptionHistory, final_state: FinalState, session: Session
) -> Iterator[Flaw]:
    for name, version in final_state.final_versions(subscription.spec).items():
        received = session.received.get(name, ())
        writes = version - _version(session, name)
        if len(received) > writes:
            yield DUPLICATE, f"{name}: {len(received)} messages of {writes} writes"
        is_exact = name in session.rows or subscription.has_whole_snapshot(session)
        if len(received) < writes and is_exact and subscription.spec.root not in (REQUEST, BATCH):
            yield MISSING, f"{name}: {len(received)} messages of {writes} writes"


def _view(subscription: SubscriptionHistory, final_state: FinalState) -> Iterator[Flaw]:
    session = subscription.sessions[-1]
    final_versions = final_state.final_versions(subscription.spec)
    shown = {name: found["version"] for name, found in session.view.items()}
    for name in shown.keys() - final_versions.keys():
        yield WRONG_VIEW, f"it shows {name}, which does not belong there: {session.view[name]}"
    for name in shown.keys() & final_versions.keys():
        if shown[name] != final_versions[name]:
            yield WRONG_VIEW, f"{name} is of version {final_versions[name]}, not {shown[name]}"
    for name in final_versions.keys() - shown.keys():
        if (
            subscription.has_whole_snapshot(session)
            or name in session.received
            or not subscription.spec.is_list
        ):
            yield WRONG_VIEW, f"it does not show {name}"
