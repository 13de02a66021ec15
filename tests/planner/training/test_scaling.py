"""Scaling laws against their papers and against a search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.training.scaling import (
    FIRST,
    REPLICATED,
    best_size,
    loss,
    tokens_for,
    uncertain_law,
)


def test_chinchillas_optimum_is_about_20_tokens_a_weight() -> None:
    # arXiv 2404.10102: the replicated fit agrees with 20, the first one did not (about 70)
    size, tokens = best_size(REPLICATED, 5.76e23)
    assert 15 < tokens / size < 30
    size, tokens = best_size(FIRST, 5.76e23)
    assert 50 < tokens / size < 100


@given(st.floats(1e18, 1e27), st.floats(-0.5, 0.5))
def test_no_other_size_is_better_for_the_same_compute(flops: float, off: float) -> None:
    size, tokens = best_size(REPLICATED, flops)
    assert 6 * size * tokens == pytest.approx(flops)
    other = size * np.exp(off)
    best = loss(REPLICATED, size, tokens)
    assert best <= loss(REPLICATED, other, flops / 6 / other) * (1 + 1e-12)


@given(st.floats(1e8, 1e12), st.floats(1e9, 1e14))
def test_tokens_for_a_loss_are_those_that_gave_it(size: float, tokens: float) -> None:
    reached = loss(REPLICATED, size, tokens)
    assert tokens_for(REPLICATED, size, reached) == pytest.approx(tokens, rel=1e-4)


def test_a_loss_below_what_a_model_can_reach_takes_for_ever() -> None:
    assert tokens_for(REPLICATED, 1e9, 1.8) == np.inf


@given(st.floats(-3, 3))
def test_powers_turn_about_the_middle_of_the_experiment(z: float) -> None:
    law = uncertain_law(0.0, z, z)
    assert loss(law, 1e9, 2e10) == pytest.approx(loss(REPLICATED, 1e9, 2e10), rel=1e-9)
