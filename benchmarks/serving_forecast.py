"""How well does `plan serve` foretell our own engine on this machine?

The engine (the model of `fairwitness up`) is asked by clients that pause at random between
questions of random lengths. Single steps of some loads calibrate the plan's pace; the others are
foretold from it, with the same random pauses and lengths, and compared. All of this happens in each
round anew, so that whoever shares the machine slows both sides alike; what is told is the median of
the rounds' ratios. No prompts begin alike, and nothing is guessed ahead: the plan has neither.
Writes measurements that `fairwitness plan serve --calibrate` reads.

    python benchmarks/serving_forecast.py --out build/serving.json

`--record tests/planner/serving/measured.json` keeps what was measured for a test to foretell.
"""

import argparse
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from fairwitness.engine.engine import Engine
from fairwitness.engine.loop import Steps
from fairwitness.engine.request import Request
from fairwitness.engine.sequence import Piece, Shown
from fairwitness.evals.machine import commit, machine
from fairwitness.models import registry
from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.calibrate import ENGINE, calibrate_steps
from fairwitness.planner.serving.pace import Pace, Served, looks
from fairwitness.planner.serving.simulate import simulate
from fairwitness.planner.serving.steps import Step, fit_steps, took_s
from fairwitness.planner.shapes import find_shape

TOLERANCE = 0.15
SERVED = Served(find_shape("smollm2-135m"), 0.625, 4.0)  # Q4_1 with its scales; caches in fp32


@dataclass(frozen=True)
class Load:
    """Clients that ask, wait and pause; lengths are from half the mean to one and a half."""

    name: str
    clients: int
    requests: int  # in a round
    prompt_tokens: int
    answer_tokens: int
    pause_s: float

    def arrivals(self, seed: int) -> list[Arrival]:
        drawn = random.Random(f"{self.name} {seed}")

        def length(mean: int) -> int:
            return max(1, round(mean * drawn.uniform(0.5, 1.5)))

        return [
            Arrival(
                drawn.expovariate(1 / self.pause_s),
                length(self.prompt_tokens),
                length(self.answer_tokens),
            )
            for _ in range(self.requests)
        ]


SEEN = (
    Load("short questions, one client", 1, 4, 24, 32, 0.02),
    Load("long prompts, one client", 1, 3, 700, 8, 0.02),
    Load("short questions, eight clients", 8, 16, 32, 32, 0.05),
    Load("middling prompts, four clients", 4, 12, 250, 12, 0.05),
)
HIDDEN = (
    Load("chat, three clients", 3, 12, 120, 24, 0.1),
    Load("answers from sources, two clients", 2, 8, 450, 16, 0.2),
    Load("a crowd, ten clients", 10, 30, 90, 20, 0.1),
)


@dataclass(frozen=True)
class Run:
    """One round of a load: seen from outside, and its steps by the clock and by the processor."""

    arrivals: list[Arrival]
    tokens_per_s: float  # of answers, all clients together, first pauses included
    first_ms: float  # median
    steps: list[tuple[Step, Step]]


@dataclass
class Noted:
    """When a step began: on the clock, in processor time, and in which busy while."""

    step: Step
    at_s: float = field(default_factory=time.perf_counter)
    processor_s: float = field(default_factory=time.process_time)
    # the engine's thread ends when there is nothing to do
    thread: threading.Thread = field(default_factory=threading.current_thread)


class Watched:
    """A model whose steps are noted."""

    def __init__(self, model: Steps) -> None:
        self.config, self.warm_up, self.news = model.config, model.warm_up, model.news
        self.rules = replace(model.rules, ahead=0)  # each step is noted
        self._model = model
        self._noted: list[Noted] = []

    def step(self, pieces: Sequence[Piece]) -> list[Shown]:
        self._noted.append(Noted(composed(pieces)))
        return self._model.step(pieces)

    def taken(self) -> list[tuple[Step, Step]]:
        """The steps since this was last asked, each by the clock and by the processor: from its
        beginning to the next one's, as choosing tokens and handing them out is part of it. What
        came last in a busy while is left out."""
        noted, self._noted = self._noted, []
        return [
            (
                replace(now.step, seconds=later.at_s - now.at_s),
                replace(now.step, seconds=later.processor_s - now.processor_s),
            )
            for now, later in pairwise(noted)
            if now.thread is later.thread
        ]


def composed(pieces: Sequence[Piece]) -> Step:
    """What goes through the model in a step; it has not lasted yet."""
    counts = {True: [0, 0.0], False: [0, 0.0]}
    for piece in pieces:
        rows = len(piece.ids)
        count = counts[piece.start >= piece.sequence.prompt_tokens]
        count[0] += rows
        count[1] += float(looks(piece.start, piece.start + rows))
    (answers, answer_looks), (prompts, prompt_looks) = counts[True], counts[False]
    return Step(int(answers), answer_looks, int(prompts), prompt_looks, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    busy = os.getloadavg()[0]
    path = registry.find(registry.DEFAULT_MODEL) or registry.fetch(registry.DEFAULT_MODEL)
    engine = Engine(path, drafts=False)
    engine.warm_up()
    watched = Watched(engine.runner)
    engine._loop.model = watched  # the one place that sees each step
    runs: dict[str, list[Run]] = {load.name: [] for load in (*SEEN, *HIDDEN)}
    for number in range(asked.rounds + 1):
        for load in (*SEEN, *HIDDEN):
            run = measure(engine, watched, load, load.arrivals(number))
            if number:  # the first round does not count
                runs[load.name].append(run)
    report = {
        **compare(runs),
        "load_average_before": busy,
        "machine": machine(),
        "commit": commit(),
    }
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(report, indent=1) + "\n")
    if asked.record:
        asked.record.write_text(json.dumps(recorded(report, asked.rounds)) + "\n")
    tell(report)


def recorded(report: dict[str, Any], rounds: int) -> dict[str, Any]:
    """The pace, and of each load that did not calibrate who asked for what and what came of it."""
    loads = [
        {
            **{key: row[key] for key in ("load", "tok_s", "ttft_ms")},
            "clients": load.clients,
            "rounds": [
                [
                    [round(a.at_s, 6), a.prompt_tokens, a.answer_tokens]
                    for a in load.arrivals(number)
                ]
                for number in range(1, rounds + 1)
            ],
        }
        for load, row in zip(HIDDEN, report["hidden"], strict=True)
    ]
    return {**{key: report[key] for key in ("commit", "machine", "pace_us")}, "loads": loads}


def measure(engine: Engine, watched: Watched, load: Load, arrivals: list[Arrival]) -> Run:
    """One round of a load: who is free pauses, and asks what comes next."""
    firsts_ms: list[float] = []
    upcoming, together = iter(arrivals), threading.Barrier(load.clients + 1)
    random_ids, vocabulary = random.Random(load.name), engine.config.vocabulary

    def client() -> None:
        together.wait()
        for arrival in upcoming:
            drawn = [random_ids.randrange(100, vocabulary) for _ in range(arrival.prompt_tokens)]
            time.sleep(arrival.at_s)
            asked_s = time.perf_counter()
            tokens = engine.generate(Request(tuple(drawn), arrival.answer_tokens))
            for place, _ in enumerate(tokens):
                if place == 0:
                    firsts_ms.append(1000 * (time.perf_counter() - asked_s))

    clients = [threading.Thread(target=client) for _ in range(load.clients)]
    for each in clients:
        each.start()
    together.wait()
    started_s = time.perf_counter()
    for each in clients:
        each.join()
    lasted_s = time.perf_counter() - started_s
    assert len(firsts_ms) == len(arrivals)
    tokens = sum(arrival.answer_tokens for arrival in arrivals)
    return Run(arrivals, tokens / lasted_s, statistics.median(firsts_ms), watched.taken())


def compare(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Round by round, calibrate on steps of some loads and foretell the others."""
    rounds = [
        [step for load in SEEN for step in runs[load.name][number].steps]
        for number in range(len(runs[SEEN[0].name]))
    ]
    paces = [
        (fit_steps([by_clock for by_clock, _ in steps]), fit_steps([by_cpu for _, by_cpu in steps]))
        for steps in rounds
    ]
    seen = [row(paces, load, runs[load.name]) for load in SEEN]
    hidden = [row(paces, load, runs[load.name]) for load in HIDDEN]
    worst = max(abs(each[key][1] - 1) for each in hidden for key in ("tok_s_ratio", "ttft_ratio"))
    all_steps = [by_clock for steps in rounds for by_clock, _ in steps]
    fitted = calibrate_steps(all_steps)
    costs = ("step_s", "answer_s", "answer_look_s", "prompt_token_s", "prompt_look_s")
    return {
        "hidden": hidden,
        "seen": seen,
        "worst_error": round(worst, 4),
        "tolerance": TOLERANCE,
        "within_tolerance": worst <= TOLERANCE,
        "median_step_error": round(fitted.worst, 4),
        "pace_us": {cost: round(1e6 * float(getattr(fitted.pace, cost)), 4) for cost in costs},
        "steps": [told(step) for step in all_steps],
    }


def row(paces: list[tuple[Pace, Pace]], load: Load, runs: list[Run]) -> dict[str, Any]:
    """What was foretold of a load and what was measured. Each ratio is that of a round, foretold
    over measured: the least, the median, the largest. `processor_ratio` is of the processor time of
    the very steps that were run: others on the machine hardly move it, so it tells a wrong pace
    from a disturbed run."""
    policy = replace(ENGINE, clients=load.clients)
    foretold = [
        simulate(SERVED, pace, policy, run.arrivals)
        for (pace, _), run in zip(paces, runs, strict=True)
    ]
    tok_s = [each.tokens_per_s for each in foretold]
    ttft_ms = [1000 * each.rank("first_s", 50) for each in foretold]
    processor = [
        sum(took_s(pace, step) for _, step in run.steps)
        / sum(step.seconds for _, step in run.steps)
        for (_, pace), run in zip(paces, runs, strict=True)
    ]
    return {
        "load": load.name,
        "tok_s": round(statistics.median(run.tokens_per_s for run in runs), 2),
        "predicted_tok_s": round(statistics.median(tok_s), 2),
        "tok_s_ratio": spread([t / run.tokens_per_s for t, run in zip(tok_s, runs, strict=True)]),
        "ttft_ms": round(statistics.median(run.first_ms for run in runs), 1),
        "predicted_ttft_ms": round(statistics.median(ttft_ms), 1),
        "ttft_ratio": spread([t / run.first_ms for t, run in zip(ttft_ms, runs, strict=True)]),
        "processor_ratio": spread(processor),
    }


def spread(ratios: list[float]) -> tuple[float, float, float]:
    return round(min(ratios), 4), round(statistics.median(ratios), 4), round(max(ratios), 4)


def told(step: Step) -> dict[str, float]:
    return {
        "answers": step.answers,
        "answer_looks": step.answer_looks,
        "prompt_tokens": step.prompt_tokens,
        "prompt_looks": step.prompt_looks,
        "ms": round(1000 * step.seconds, 4),
    }


def tell(report: dict[str, Any]) -> None:
    print(json.dumps({key: value for key, value in report.items() if key != "steps"}, indent=1))
    for each in report["hidden"]:
        print(
            f"{each['load']:36} tok/s {each['tok_s']:8.1f} foretold x {each['tok_s_ratio'][1]:.3f}"
            f"   first token {each['ttft_ms']:7.1f} ms foretold x {each['ttft_ratio'][1]:.3f}"
        )
    verdict = "within" if report["within_tolerance"] else "NOT within"
    print(
        f"serving forecast: {verdict} {TOLERANCE:.0%}; worst error {report['worst_error']:.1%} "
        f"at {len(HIDDEN)} loads that did not calibrate"
    )


if __name__ == "__main__":
    main()
