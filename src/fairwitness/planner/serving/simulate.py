"""Queues and tails: requests served step by step, as an engine with continuous batching does.

Each step takes a piece of a prompt that waits and a token of every answer under way; what comes in
the meantime waits for the next. An engine whose pace is `apart` takes turns instead: a step is one
request's piece or token, and then it queues again. Time is simpy's; a step's length is the pace's.
One replica is simulated: requests are spread over replicas at random, so each sees a Poisson stream
of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.pace import Pace, Served, mixed_s, work_flops

if TYPE_CHECKING:
    import simpy


@dataclass(frozen=True)
class Policy:
    """What the engine's scheduler does."""

    slots: int  # answers side by side at most
    chunk_tokens: int = 2048  # of one prompt, in one step
    in_flight: int = 0  # clients that each wait for their answer before asking again; 0: open


@dataclass(eq=False)
class Request:
    """One request under way, and when things happened to it."""

    arrival: Arrival
    came_s: float
    done_tokens: int = 0  # of the prompt
    answered: int = 0
    first_s: float = 0.0
    last_s: float = 0.0


@dataclass(frozen=True)
class Served1:
    """What happened to one request."""

    first_s: float  # from coming to the first token
    token_s: float  # between later tokens
    total_s: float


@dataclass(frozen=True)
class Simulated:
    """All requests of a run, and how busy the replica was."""

    requests: tuple[Served1, ...]
    lasted_s: float
    busy_share: float
    answer_tokens: int

    def rank(self, what: str, percent: float) -> float:
        """A percentile of `first_s`, `token_s` or `total_s`."""
        return float(np.percentile([getattr(each, what) for each in self.requests], percent))

    @property
    def tokens_per_s(self) -> float:
        """Answer tokens a second over the whole run."""
        return self.answer_tokens / self.lasted_s


@dataclass
class _Replica:
    served: Served
    pace: Pace
    policy: Policy
    env: simpy.Environment
    woken: simpy.Event
    waiting: deque[Request] = field(default_factory=deque)
    prompts: deque[Request] = field(default_factory=deque)
    answers: list[Request] = field(default_factory=list)
    turns: deque[Request] = field(default_factory=deque)  # who is next, where steps are apart
    finished: list[Request] = field(default_factory=list)
    busy_s: float = 0.0

    def come(self, arrival: Arrival) -> None:
        """Take a request in."""
        self.waiting.append(Request(arrival, self.env.now, arrival.cached_tokens))
        if not self.woken.triggered:
            self.woken.succeed()

    def run(self, upcoming: Iterator[Arrival]) -> Generator[simpy.Event, None, None]:
        """Step for as long as there is work."""
        while True:
            self._admit()
            prompt, answers = self._turn() if self.pace.apart else self._together()
            if prompt is None and not answers:
                self.woken = self.env.event()
                yield self.woken
                continue
            taken_s = self._step_s(prompt, answers)
            self.busy_s += taken_s
            yield self.env.timeout(taken_s)
            for _ in range(self._advance(prompt, answers)):
                if self.policy.in_flight and (again := next(upcoming, None)):
                    self.come(again)

    def _admit(self) -> None:
        while self.waiting and len(self.prompts) + len(self.answers) < self.policy.slots:
            request = self.waiting.popleft()
            self.prompts.append(request)
            if self.pace.apart:
                self.turns.append(request)

    def _together(self) -> tuple[Request | None, list[Request]]:
        """The oldest prompt, and all answers."""
        return (self.prompts[0] if self.prompts else None), list(self.answers)

    def _turn(self) -> tuple[Request | None, list[Request]]:
        """Whose turn it is: a prompt, or one answer."""
        if not self.turns:
            return None, []
        request = self.turns.popleft()
        return (None, [request]) if request.answered else (request, [])

    def _piece_end(self, prompt: Request) -> int:
        end = prompt.done_tokens + self.policy.chunk_tokens
        return min(end, prompt.arrival.prompt_tokens)

    def _step_s(self, prompt: Request | None, answers: list[Request]) -> float:
        flops = tokens = 0.0
        if prompt is not None:
            end = self._piece_end(prompt)
            flops = work_flops(self.served.shape, prompt.done_tokens, end)
            tokens = end - prompt.done_tokens
        batch = len(answers)
        lengths = sum(each.arrival.prompt_tokens + each.answered for each in answers)
        context = lengths / batch if batch else 0.0
        return float(mixed_s(self.served, self.pace, flops, tokens, batch, context))

    def _advance(self, prompt: Request | None, answers: list[Request]) -> int:
        """Move those forward whose step has just ended; return how many finished."""
        self._admit()  # who came in the meantime is before them in the queue
        stepped = [*answers, *([prompt] if prompt else [])]
        for each in answers:
            each.answered += 1
        if prompt is not None:
            prompt.done_tokens = self._piece_end(prompt)
            if prompt.done_tokens == prompt.arrival.prompt_tokens:
                prompt.answered = 1  # a prompt's last piece gives the first token
                prompt.first_s = self.env.now
                self.prompts.remove(prompt)
                self.answers.append(prompt)
        done = [each for each in stepped if each.answered >= each.arrival.answer_tokens]
        if self.pace.apart:
            self.turns += [each for each in stepped if each not in done]
        for each in done:
            each.last_s = self.env.now
            self.answers.remove(each)
        self.finished += done
        return len(done)


def simulate(served: Served, pace: Pace, policy: Policy, arrivals: Sequence[Arrival]) -> Simulated:
    """Serve all of `arrivals`; with `in_flight` clients their times of coming are not used."""
    import simpy

    env = simpy.Environment()
    replica = _Replica(served, pace, policy, env, env.event())
    upcoming = iter(arrivals)
    if policy.in_flight:
        for arrival, _ in zip(upcoming, range(policy.in_flight), strict=False):
            replica.come(arrival)
    else:
        env.process(_coming(env, replica, upcoming))
    env.process(replica.run(upcoming))
    env.run()
    finished = replica.finished
    return Simulated(
        tuple(_told(each) for each in finished),
        float(env.now),
        replica.busy_s / float(env.now),
        sum(each.arrival.answer_tokens for each in finished),
    )


def _coming(
    env: simpy.Environment, replica: _Replica, arrivals: Iterator[Arrival]
) -> Generator[simpy.Event, None, None]:
    for arrival in arrivals:
        yield env.timeout(max(0.0, arrival.at_s - env.now))
        replica.come(arrival)


def _told(request: Request) -> Served1:
    later = request.arrival.answer_tokens - 1
    pace = (request.last_s - request.first_s) / later if later else 0.0
    return Served1(request.first_s - request.came_s, pace, request.last_s - request.came_s)
