"""Chooses the next requests of a lane: new jobs, and requests that follow from answers."""

import heapq
from itertools import count
from random import Random
from typing import Final

from benchmarks.chaos.operations import BULK, Answer, Kind, Outcome, Request
from ostinato.jobs.records import Json, JsonObject

TALLY_NAMES: Final = tuple(f"tally-{number}" for number in range(12))
WEIGHTS: Final = {
    "enter": 28,
    "touch": 24,
    "tally": 8,
    "passOn": 8,
    "flicker": 7,
    "delegate": 6,
    "stumble": 6,
    "linger": 5,
    "fail": 4,
    "refuse": 4,
}
DELAYED_SHARE: Final = 0.2
KEYED_SHARE: Final = 0.2
REPEATED_SHARE: Final = 0.3
CANCELED_SHARE: Final = 0.25  # of jobs that are delayed or slow
MAX_DELAY_MS: Final = 2_500
MAX_TOUCH_MS: Final = 60
MAX_LINGER_MS: Final = 2_000
MAX_PAUSE_S: Final = 1.5
MAX_REQUESTS: Final = 40  # a document may have 50 aliases
MANY_SHARE: Final = 0.02  # calls of `scheduleJobs`
MAX_MANY: Final = 8
TAGGED_SHARE: Final = 0.3
GROUPS: Final = 3
"""The number of tags of a lane; each job has at most one."""
BULK_SHARE: Final = 0.006
RESCHEDULED_SHARE: Final = 0.2  # of jobs that are delayed
RETRIED_SHARE: Final = 0.15  # of jobs that fail or are canceled
FAILING: Final = ("ledger.refuse", "ledger.fail")


class Plan:
    """The load of one lane, deterministic for its seed and answers."""

    def __init__(self, name: str, random: Random, max_requests: int = MAX_REQUESTS) -> None:
        self._name = name
        self._max_requests = max_requests
        self._random = random
        self._marks = count()
        self._order = count()
        self._later: list[tuple[float, int, Request]] = []

    def next(self, now: float) -> list[Request]:
        """Return the requests of the next call."""
        size = self._random.randint(1, self._max_requests)
        requests: list[Request] = []
        while self._later and self._later[0][0] <= now and len(requests) < size:
            requests.append(heapq.heappop(self._later)[2])
        return requests + [self._new() for _ in range(size - len(requests))]

    def on_answer(self, request: Request, answer: Answer, now: float) -> None:
        """Plan the requests that follow from an answer."""
        if request.kind is Kind.CANCEL and answer.outcome is Outcome.OK:
            self._retry_later(now, request.input["jobId"])
        if request.kind is not Kind.SCHEDULE:
            return
        if answer.outcome is Outcome.OK:
            self._follow_up(request, str(answer.value["scheduled"]), now)
        elif answer.outcome is Outcome.UNKNOWN and "key" in request.input:
            self._send_later(now, request)  # a key makes it safe to repeat

    def _follow_up(self, request: Request, job_id: str, now: float) -> None:
        if request.input["functionName"] in FAILING:
            self._retry_later(now, job_id)
        if "runAfterMs" in request.input and self._random.random() < RESCHEDULED_SHARE:
            later: JsonObject = {
                "jobId": job_id,
                "runAfterMs": self._random.randint(0, MAX_DELAY_MS),
            }
            self._send_later(now, Request(Kind.RESCHEDULE, later))
        if self._may_be_canceled(request) and self._random.random() < CANCELED_SHARE:
            self._send_later(now, Request(Kind.CANCEL, {"jobId": job_id}))
        if "key" in request.input and self._random.random() < REPEATED_SHARE:
            input_ = request.input
            if self._random.random() < REPEATED_SHARE:  # other arguments: a conflict
                input_ = {**input_, "args": self._args(str(input_["functionName"]))}
            self._send_later(now, Request(Kind.SCHEDULE, input_))

    def _may_be_canceled(self, request: Request) -> bool:
        input_ = request.input
        return "runAfterMs" in input_ or input_["functionName"] == "ledger.linger"

    def _retry_later(self, now: float, job_id: Json) -> None:
        if self._random.random() < RETRIED_SHARE:
            self._send_later(now, Request(Kind.RETRY, {"jobId": job_id}))

    def _send_later(self, now: float, request: Request) -> None:
        due = now + self._random.uniform(0, MAX_PAUSE_S)
        heapq.heappush(self._later, (due, next(self._order), request))

    def _new(self) -> Request:
        draw = self._random.random()
        if draw < BULK_SHARE:
            return self._bulk_action()
        if draw < BULK_SHARE + MANY_SHARE:
            jobs: list[Json] = [self._job() for _ in range(self._random.randint(2, MAX_MANY))]
            return Request(Kind.SCHEDULE_MANY, {"jobs": jobs})
        return Request(Kind.SCHEDULE, self._job())

    def _bulk_action(self) -> Request:
        kind = self._random.choice(sorted(BULK))
        if kind is Kind.RESOLVE_FAILURES:
            return Request(kind, {"functionName": self._random.choice(FAILING)})
        which: JsonObject = {"tags": [self._tag()]}
        if kind is Kind.RESCHEDULE_JOBS:
            which["runAfterMs"] = self._random.randint(0, MAX_DELAY_MS)
        return Request(kind, which)

    def _tag(self) -> str:
        return f"group-{self._name}-{self._random.randrange(GROUPS)}"

    def _job(self) -> JsonObject:
        (name,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        function = f"ledger.{name}"
        input_: JsonObject = {"functionName": function, "args": self._args(function)}
        if self._random.random() < DELAYED_SHARE:
            input_["runAfterMs"] = self._random.randint(1, MAX_DELAY_MS)
        if self._random.random() < KEYED_SHARE:
            input_["key"] = f"key-{self._name}-{next(self._marks)}"
        if self._random.random() < TAGGED_SHARE:
            input_["tags"] = [self._tag()]
        return input_

    def _args(self, function: str) -> JsonObject:
        """Return arguments with a unique mark."""
        args: JsonObject = {"mark": f"{self._name}-{next(self._marks)}"}
        if function == "ledger.tally":
            args["name"] = self._random.choice(TALLY_NAMES)
        elif function == "ledger.touch":
            args["ms"] = self._random.randint(0, MAX_TOUCH_MS)
        elif function == "ledger.linger":
            args["ms"] = self._random.randint(0, MAX_LINGER_MS)
        return args
