"""A pace is found again from steps that it made, though some of them were held up."""

import json
import math
import random
from pathlib import Path

import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.serving.calibrate import calibrate_file, calibrate_steps
from fairwitness.planner.serving.pace import Pace, Served
from fairwitness.planner.serving.steps import Step, fit_steps, took_s
from fairwitness.planner.shapes import find_shape

TRUE = Pace(
    math.inf,
    math.inf,
    math.inf,
    step_s=6e-3,
    answer_s=0.6e-3,
    answer_look_s=1.3e-6,
    prompt_token_s=0.4e-3,
    prompt_look_s=0.3e-6,
)


def steps(count: int, late_share: float = 0.0, true: Pace = TRUE) -> list[Step]:
    """Steps of all kinds, 1 % off at random; some take twice to five times as long."""
    drawn = random.Random(7)
    made = []
    for _ in range(count):
        answers = drawn.randrange(9)
        tokens = drawn.choice([0, 0, 16, 64, 128]) or (0 if answers else 100)
        looks = tokens * drawn.uniform(tokens / 2, 600)
        step = Step(answers, answers * drawn.uniform(10, 500), tokens, looks, 1.0)
        late = drawn.uniform(2, 5) if drawn.random() < late_share else 1.0
        seconds = took_s(true, step) * drawn.gauss(1, 0.01) * late
        made.append(Step(answers, step.answer_looks, tokens, looks, seconds))
    return made


@pytest.mark.parametrize("late_share", [0.0, 0.2])
def test_a_pace_is_found_though_some_steps_were_held_up(late_share: float) -> None:
    found = fit_steps(steps(400, late_share))
    for step in steps(50):
        assert took_s(found, step) == pytest.approx(took_s(TRUE, step), rel=0.02)
    assert float(found.step_s) == pytest.approx(6e-3, rel=0.05)
    assert float(found.answer_s) == pytest.approx(0.6e-3, rel=0.1)


def test_nothing_costs_less_than_nothing() -> None:
    free = Pace(math.inf, math.inf, math.inf, step_s=5e-3, prompt_token_s=0.4e-3)
    found = fit_steps(steps(200, true=free))
    costs = (found.step_s, found.answer_s, found.answer_look_s, found.prompt_look_s)
    assert min(map(float, costs)) >= 0
    assert float(found.step_s) == pytest.approx(5e-3, rel=0.02)


def test_steps_of_a_file_are_taken_before_its_loads(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    rows = [
        {
            "answers": each.answers,
            "answer_looks": each.answer_looks,
            "prompt_tokens": each.prompt_tokens,
            "prompt_looks": each.prompt_looks,
            "ms": 1000 * each.seconds,
        }
        for each in steps(100)
    ]
    path.write_text(json.dumps({"steps": rows, "loads": []}))
    read = calibrate_file(Served(find_shape("smollm2-135m")), path)
    expected = calibrate_steps(steps(100))
    assert read.pace.step_s == pytest.approx(expected.pace.step_s)
    assert read.worst == pytest.approx(expected.worst)
    assert read.worst < 0.02
    path.write_text(json.dumps({"steps": [{"answers": 1}]}))
    with pytest.raises(PlanError, match=r"measured\.json: no measurements.*answer_looks"):
        calibrate_file(Served(find_shape("smollm2-135m")), path)


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ([], "0 steps"),
        ([Step(1, 10, 0, 0, 0.01)] * 20, "some with prompts"),
        ([Step(0, 0, 10, 55, 0.01)] * 20, "some with answers"),
        ([Step(1, 10, 10, 55, math.nan)] * 20, "nan s cannot be"),
        ([Step(1, 10, 10, 55, 0.0)] * 20, "0.0 s cannot be"),
    ],
)
def test_steps_that_tell_too_little_are_refused(measured: list[Step], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        fit_steps(measured)
