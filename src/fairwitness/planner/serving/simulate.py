"""Queues and tails: requests served step by step, as an engine with continuous batching does.

Each step takes a token of every answer under way, and of the prompts that wait as much as the
policy lets in, oldest first; what comes in the meantime waits for the next. Time is simpy's; a
step's length is the pace's. One replica is simulated: requests are spread over replicas at random,
so each sees a Poisson stream of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.pace import Pace, Pieces, Served, looks, mixed_s, work_flops
from fairwitness.planner.shapes import ModelShape

if TYPE_CHECKING:
    import simpy


@dataclass(frozen=True)
class Policy:
    """What the engine's scheduler does, and whether it is asked at fixed times or by `clients`.

    A client waits for its answer, pauses for the next arrival's `at_s`, and asks again.
    """

    slots: int  # requests under way side by side at most
    chunk_tokens: int = 2048  # of all prompts, in one step
    page_tokens: int = 1  # a cached beginning is shared by whole pages
    clients: int = 0  # 0: each request comes at its time


@dataclass(eq=False)
class Request:
    """One request under way, and when things happened to it."""

    arrival: Arrival
    came_s: float
    over: simpy.Event
    done_tokens: int  # of the prompt
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
    step_s: Callable[[Pieces, float, float], float]
    policy: Policy
    env: simpy.Environment
    woken: simpy.Event
    shape: ModelShape
    waiting: deque[Request] = field(default_factory=deque)
    running: list[Request] = field(default_factory=list)  # in the order of admission
    finished: list[Request] = field(default_factory=list)
    busy_s: float = 0.0

    def come(self, arrival: Arrival) -> Request:
        """Take a request in."""
        page = self.policy.page_tokens
        cached = min(arrival.cached_tokens, arrival.prompt_tokens - 1) // page * page
        request = Request(arrival, self.env.now, self.env.event(), cached)
        self.waiting.append(request)
        if not self.woken.triggered:
            self.woken.succeed()
        return request

    def run(self) -> Generator[simpy.Event, None, None]:
        """Step for as long as there is work."""
        while True:
            while self.waiting and len(self.running) < self.policy.slots:
                self.running.append(self.waiting.popleft())
            if not self.running:
                self.woken = self.env.event()
                yield self.woken
                continue
            answers = [each for each in self.running if each.answered]
            pieces = list(self._pieces())
            taken_s = self._taken_s(answers, pieces)
            self.busy_s += taken_s
            yield self.env.timeout(taken_s)
            self._advance(answers, pieces)

    def _pieces(self) -> Iterator[tuple[Request, int]]:
        """Prompts that go on in the next step, oldest first, and how far."""
        room = self.policy.chunk_tokens
        for request in self.running:
            if request.answered or not room:
                continue
            end = min(request.done_tokens + room, request.arrival.prompt_tokens)
            room -= end - request.done_tokens
            yield request, end

    def _taken_s(self, answers: list[Request], pieces: list[tuple[Request, int]]) -> float:
        ends = [(request.done_tokens, end) for request, end in pieces]
        together = Pieces(
            sum(end - start for start, end in ends),
            float(sum(looks(start, end) for start, end in ends)),
            sum(work_flops(self.shape, start, end) for start, end in ends),
        )
        lengths = sum(each.arrival.prompt_tokens + each.answered for each in answers)
        return self.step_s(together, len(answers), lengths / len(answers) if answers else 0.0)

    def _advance(self, answers: list[Request], pieces: list[tuple[Request, int]]) -> None:
        """Move those forward whose step has just ended."""
        for each in answers:
            each.answered += 1
        for request, end in pieces:
            request.done_tokens = end
            if end == request.arrival.prompt_tokens:
                request.answered = 1  # a prompt's last piece gives the first token
                request.first_s = self.env.now
        for each in [*answers, *(request for request, _ in pieces)]:
            if each.answered >= each.arrival.answer_tokens:
                each.last_s = self.env.now
                self.running.remove(each)
                self.finished.append(each)
                each.over.succeed()


def simulate(served: Served, pace: Pace, policy: Policy, arrivals: Sequence[Arrival]) -> Simulated:
    """Serve all of `arrivals`."""
    import simpy

    env = simpy.Environment()
    step_s = partial(mixed_s, served, pace)
    replica = _Replica(step_s, policy, env, env.event(), served.shape)
    upcoming = iter(arrivals)
    for _ in range(policy.clients):
        env.process(_asking(env, replica, upcoming))
    if not policy.clients:
        env.process(_coming(env, replica, upcoming))
    env.process(replica.run())
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
        if arrival.at_s > env.now:
            yield env.timeout(arrival.at_s - env.now)
        replica.come(arrival)


def _asking(
    env: simpy.Environment, replica: _Replica, arrivals: Iterator[Arrival]
) -> Generator[simpy.Event, None, None]:
    """One client. All share the arrivals: who is free takes the next."""
    for arrival in arrivals:
        yield env.timeout(arrival.at_s)
        yield replica.come(arrival).over


def _told(request: Request) -> Served1:
    later = request.arrival.answer_tokens - 1
    pace = (request.last_s - request.first_s) / later if later else 0.0
    return Served1(request.first_s - request.came_s, pace, request.last_s - request.came_s)
