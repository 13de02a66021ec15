"""An engine's pace, fitted on single steps that were measured.

A step costs something fixed, then so much for each answer's token, each token of a prompt, and each
position that either looks back on: five numbers, none below zero. They make the sum of relative
deviations least, so that a step that something else held up counts little, and a short step as much
as a long one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.planner.errors import PlanError
from fairwitness.planner.serving.pace import Pace

_ROUNDS = 40  # of reweighting; medians of hundreds of steps stand still after ten
_LEAST = 0.03  # a smaller relative deviation weighs no more: steps differ by that


@dataclass(frozen=True)
class Step:
    """What one step took through the model, and how long that lasted."""

    answers: int  # answers that got a token
    answer_looks: float  # positions that these looked back on, all together
    prompt_tokens: int
    prompt_looks: float
    seconds: float


def fit_steps(steps: Sequence[Step]) -> Pace:
    """Find the pace under which the measured steps are likeliest.

    Raises:
        PlanError: too few steps, a time that cannot be, or only prompts, or only answers.
    """
    for step in steps:
        if not (math.isfinite(step.seconds) and step.seconds > 0):
            raise PlanError(f"calibrate: a step of {step.seconds} s cannot be")
    kinds = {(step.answers > 0, step.prompt_tokens > 0) for step in steps}
    answered = any(answers for answers, _ in kinds)
    if len(steps) < 10 or not answered or not any(prompts for _, prompts in kinds):
        raise PlanError(
            f"calibrate: {len(steps)} steps; at least 10 are needed, some with answers and some "
            "with prompts"
        )
    table = np.array(
        [
            (1.0, each.answers, each.answer_looks, each.prompt_tokens, each.prompt_looks)
            for each in steps
        ]
    )
    seconds = np.array([each.seconds for each in steps])
    fixed, answer, answer_look, prompt, prompt_look = _fit(table / seconds[:, None]).tolist()
    return Pace(
        math.inf,
        math.inf,
        math.inf,
        step_s=fixed,
        answer_s=answer,
        answer_look_s=answer_look,
        prompt_token_s=prompt,
        prompt_look_s=prompt_look,
    )


def took_s(pace: Pace, step: Step) -> float:
    """How long a step takes by a fitted pace, in seconds."""
    return (
        float(pace.step_s)
        + float(pace.answer_s) * step.answers
        + float(pace.answer_look_s) * step.answer_looks
        + float(pace.prompt_token_s) * step.prompt_tokens
        + float(pace.prompt_look_s) * step.prompt_looks
    )


def _fit(table_sc: NDArray[np.float64]) -> NDArray[np.float64]:
    """The costs that bring all rows nearest to 1, by reweighted least squares."""
    scale_c: NDArray[np.float64] = np.maximum(np.abs(table_sc).max(axis=0), 1e-30)
    table_sc = table_sc / scale_c
    weights_s = np.ones(len(table_sc))
    for _ in range(_ROUNDS):
        costs_c = _least_squares(table_sc, weights_s)
        weights_s = 1 / np.maximum(np.abs(table_sc @ costs_c - 1), _LEAST)
    found_c: NDArray[np.float64] = costs_c / scale_c
    return found_c


def _least_squares(
    table_sc: NDArray[np.float64], weights_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Costs of at least zero: the best of all choices of which may be above it."""
    square_cc = table_sc.T @ (table_sc * weights_s[:, None])
    right_c = table_sc.T @ weights_s
    best_c: NDArray[np.float64] = np.zeros(len(right_c))
    least = 0.0
    for chosen in itertools.product((False, True), repeat=len(right_c)):
        kept = np.flatnonzero(chosen)
        costs_c = np.zeros(len(right_c))
        costs_c[kept] = np.linalg.lstsq(square_cc[np.ix_(kept, kept)], right_c[kept])[0]
        lost = float(costs_c @ square_cc @ costs_c - 2 * right_c @ costs_c)
        if costs_c.min() >= 0 and lost < least:
            best_c, least = costs_c, lost
    return best_c
