"""The simulated policy is our scheduler's: both serve the same loads in the same time."""

import math
import random

import pytest

from fairwitness.engine.scheduler import PROMPT_ROWS, TOGETHER, Rules, Scheduler
from fairwitness.engine.sequence import Piece, Sequence
from fairwitness.kernels.pages import PAGE
from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.calibrate import ENGINE
from fairwitness.planner.serving.pace import Pace, Served
from fairwitness.planner.serving.simulate import simulate
from fairwitness.planner.serving.steps import Step, took_s
from fairwitness.planner.shapes import find_shape

PACE = Pace(
    math.inf,
    math.inf,
    math.inf,
    step_s=6e-3,
    answer_s=0.6e-3,
    answer_look_s=1.3e-6,
    prompt_token_s=0.4e-3,
    prompt_look_s=0.3e-6,
)


def test_the_policy_is_the_engines_rules() -> None:
    rules = Rules(PAGE, 1, 1)
    assert (ENGINE.slots, ENGINE.chunk_tokens, ENGINE.page_tokens) == (
        rules.together,
        rules.prompt_rows,
        rules.page_size,
    )
    assert (rules.together, rules.prompt_rows) == (TOGETHER, PROMPT_ROWS)


@pytest.mark.parametrize("per_s", [2.0, 8.0, 60.0, 1000.0])
def test_the_scheduler_and_the_simulation_give_the_same_times(per_s: float) -> None:
    drawn = random.Random(per_s)
    at_s, arrivals = 0.0, []
    for _ in range(90):
        at_s += drawn.expovariate(per_s)
        arrivals.append(Arrival(at_s, drawn.randrange(1, 400), drawn.randrange(1, 30)))
    seen = simulate(Served(find_shape("smollm2-135m")), PACE, ENGINE, arrivals)
    expected = sorted(served_by_scheduler(arrivals))
    found = sorted((each.first_s, each.total_s) for each in seen.requests)
    assert len(found) == len(arrivals)
    for (first_s, total_s), (expected_first_s, expected_total_s) in zip(
        found, expected, strict=True
    ):
        assert first_s == pytest.approx(expected_first_s, rel=1e-9)
        assert total_s == pytest.approx(expected_total_s, rel=1e-9)


def served_by_scheduler(arrivals: list[Arrival]) -> list[tuple[float, float]]:
    """Times to the first token and to the last, by the engine's own scheduler on a made clock."""
    scheduler = Scheduler(Rules(PAGE, 2000, 2000, draft_rows=0))
    drawn = random.Random(0)
    coming = list(arrivals)
    came_s: dict[Sequence, float] = {}
    firsts_s: dict[Sequence, float] = {}
    told: list[tuple[float, float]] = []
    now_s = 0.0
    while coming or came_s.keys() - {each for each in came_s if each.is_over}:
        while coming and coming[0].at_s <= now_s:
            arrival = coming.pop(0)
            ids = [drawn.randrange(1_000_000) for _ in range(arrival.prompt_tokens)]
            limit = arrival.prompt_tokens + arrival.answer_tokens
            sequence = Sequence(ids, len(ids), limit, len(ids) - 1)
            came_s[sequence] = arrival.at_s
            scheduler.submit(sequence)
        pieces = scheduler.plan()
        if not pieces:
            now_s = coming[0].at_s
            continue
        now_s += took_s(PACE, composed(pieces))
        for piece in pieces:
            sequence = piece.sequence
            scheduler.ran(piece, [drawn.randrange(1_000_000)] if piece.wants else [])
            if piece.wants:
                firsts_s.setdefault(sequence, now_s - came_s[sequence])
            if len(sequence.ids) == sequence.limit:
                scheduler.release(sequence)
                told.append((firsts_s[sequence], now_s - came_s[sequence]))
    return told


def composed(pieces: list[Piece]) -> Step:
    """What a step takes through the model; it has not lasted yet."""
    answers, prompts = [], []
    for piece in pieces:
        is_answer = piece.start >= piece.sequence.prompt_tokens
        (answers if is_answer else prompts).append(
            (len(piece.ids), sum(range(piece.start + 1, piece.start + len(piece.ids) + 1)))
        )
    return Step(
        sum(rows for rows, _ in answers),
        sum(looked for _, looked in answers),
        sum(rows for rows, _ in prompts),
        sum(looked for _, looked in prompts),
        0.0,
    )
