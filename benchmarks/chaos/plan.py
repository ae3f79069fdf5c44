"""Decides what one lane of the load asks next: new jobs, and what earlier answers lead to."""

import heapq
from itertools import count
from random import Random
from typing import Final

from benchmarks.chaos.operations import Answer, Answered, Kind, Request
from ostinato.jobs.records import JsonObject

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
DELAYED: Final = 0.2
KEYED: Final = 0.2
REPEATED: Final = 0.3
CANCELED: Final = 0.25  # of those that are delayed or take long
LONGEST_DELAY_MS: Final = 2_500
LONGEST_TOUCH_MS: Final = 60
LONGEST_LINGER_MS: Final = 2_000
LONGEST_PAUSE_S: Final = 1.5
MOST_AT_ONCE: Final = 40  # a document may have 50 aliases


class Plan:
    """The load of one lane, the same for the same seed and answers."""

    def __init__(self, name: str, random: Random, at_once: int = MOST_AT_ONCE) -> None:
        self._name = name
        self._at_once = at_once
        self._random = random
        self._marks = count()
        self._order = count()
        self._later: list[tuple[float, int, Request]] = []

    def next(self, now: float) -> list[Request]:
        """Give what goes into one call."""
        wanted = self._random.randint(1, self._at_once)
        requests: list[Request] = []
        while self._later and self._later[0][0] <= now and len(requests) < wanted:
            requests.append(heapq.heappop(self._later)[2])
        return requests + [self._new() for _ in range(wanted - len(requests))]

    def learn(self, request: Request, answer: Answer, now: float) -> None:
        """Let an answer lead to another request."""
        if request.kind is not Kind.SCHEDULE:
            return
        if answer.answered is Answered.OK:
            self._follow_up(request, str(answer.value["scheduled"]), now)
        elif answer.answered is Answered.UNKNOWN and "key" in request.input:
            self._ask_later(now, request)  # a key makes it safe to ask again

    def _follow_up(self, request: Request, job_id: str, now: float) -> None:
        if self._may_be_canceled(request) and self._random.random() < CANCELED:
            self._ask_later(now, Request(Kind.CANCEL, {"jobId": job_id}))
        if "key" in request.input and self._random.random() < REPEATED:
            again = request.input
            if self._random.random() < REPEATED:  # other arguments: a conflict
                again = {**again, "args": self._args(str(again["functionName"]))}
            self._ask_later(now, Request(Kind.SCHEDULE, again))

    def _may_be_canceled(self, request: Request) -> bool:
        given = request.input
        return "runAfterMs" in given or given["functionName"] == "ledger.linger"

    def _ask_later(self, now: float, request: Request) -> None:
        due = now + self._random.uniform(0, LONGEST_PAUSE_S)
        heapq.heappush(self._later, (due, next(self._order), request))

    def _new(self) -> Request:
        (name,) = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        function = f"ledger.{name}"
        given: JsonObject = {"functionName": function, "args": self._args(function)}
        if self._random.random() < DELAYED:
            given["runAfterMs"] = self._random.randint(1, LONGEST_DELAY_MS)
        if self._random.random() < KEYED:
            given["key"] = f"key-{self._name}-{next(self._marks)}"
        return Request(Kind.SCHEDULE, given)

    def _args(self, function: str) -> JsonObject:
        """Give arguments with a mark that no other request has."""
        args: JsonObject = {"mark": f"{self._name}-{next(self._marks)}"}
        if function == "ledger.tally":
            args["name"] = self._random.choice(TALLY_NAMES)
        elif function == "ledger.touch":
            args["ms"] = self._random.randint(0, LONGEST_TOUCH_MS)
        elif function == "ledger.linger":
            args["ms"] = self._random.randint(0, LONGEST_LINGER_MS)
        return args
