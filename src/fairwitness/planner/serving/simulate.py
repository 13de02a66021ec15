"""Queues and tails: requests served step by step, as an engine with continuous batching does.

Each step takes pieces of prompts that wait and a token of every answer under way; what comes in the
meantime waits for the next. Time is simpy's; a step's length is the pace's. One replica is
simulated: requests are spread over replicas at random, so each sees a Poisson stream of its own.
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
    prompts_at_once: int = 1  # prompts that a step takes pieces of
    in_flight: int = 0  # clients that each wait for their answer before asking again; 0: open


@dataclass
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
            if not self.prompts and not self.answers:
                self.woken = self.env.event()
                yield self.woken
                continue
            pieces = self._pieces()
            taken_s = self._step_s(pieces)
            self.busy_s += taken_s
            yield self.env.timeout(taken_s)
            for _ in range(self._advance(pieces)):
                if self.policy.in_flight and (again := next(upcoming, None)):
                    self.come(again)

    def _admit(self) -> None:
        while self.waiting and len(self.prompts) + len(self.answers) < self.policy.slots:
            self.prompts.append(self.waiting.popleft())

    def _pieces(self) -> list[tuple[Request, int]]:
        """(request, where its piece ends) for the prompts that this step takes."""
        chosen = list(self.prompts)[: self.policy.prompts_at_once]
        chunk = self.policy.chunk_tokens
        return [
            (each, min(each.done_tokens + chunk, each.arrival.prompt_tokens)) for each in chosen
        ]

    def _step_s(self, pieces: list[tuple[Request, int]]) -> float:
        shape = self.served.shape
        flops = sum(work_flops(shape, each.done_tokens, end) for each, end in pieces)
        tokens = sum(end - each.done_tokens for each, end in pieces)
        batch = len(self.answers)
        lengths = sum(each.arrival.prompt_tokens + each.answered for each in self.answers)
        context = lengths / batch if batch else 0.0
        return float(mixed_s(self.served, self.pace, len(pieces), flops, tokens, batch, context))

    def _advance(self, pieces: list[tuple[Request, int]]) -> int:
        """Move all forward by the step that has just ended; return how many finished."""
        for each in self.answers:
            each.answered += 1
        for each, end in pieces:
            each.done_tokens = end
            if end == each.arrival.prompt_tokens:  # a prompt's last piece gives the first token
                each.answered = 1
                each.first_s = self.env.now
                self.prompts.remove(each)
                self.answers.append(each)
        done = [each for each in self.answers if each.answered >= each.arrival.answer_tokens]
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
