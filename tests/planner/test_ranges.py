"""Ranges and draws: the ends mean what they say, and the seed says all."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.fields import Field
from fairwitness.planner.ranges import (
    Kind,
    Spread,
    draws,
    point,
    probabilities,
    standard_normal,
    summary,
)
from fairwitness.planner.reading import read

SHAPES: list[Kind] = ["normal", "lognormal", "logitnormal"]


@given(st.floats(1e-12, 1 - 1e-12))
def test_the_normal_quantile_is_that_of_the_standard_library(p: float) -> None:
    ours = float(standard_normal(np.array([p]))[0])
    assert ours == pytest.approx(statistics.NormalDist().inv_cdf(p), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("below", [0.05, 0.1])
def test_the_ends_are_the_quantiles_that_they_are_said_to_be(kind: Kind, below: float) -> None:
    spread = Spread(kind, 0.2, 0.5, below=below, ceiling=1.0)
    assert spread.quantile(below) == pytest.approx(0.2)
    assert spread.quantile(1 - below) == pytest.approx(0.5)


def test_a_triangular_one_has_its_mean() -> None:
    drawn = draws({"x": Spread("triangular", 2, 9, mode=4)}, 10_000)["x"]
    assert np.mean(drawn) == pytest.approx(5, rel=1e-3)
    assert 2 <= np.min(drawn) <= np.max(drawn) <= 9


def test_a_logit_normal_stays_within_its_bounds() -> None:
    drawn = draws({"x": Spread("logitnormal", 0.5, 0.999, ceiling=1.0)}, 10_000)["x"]
    assert 0 < np.min(drawn) <= np.max(drawn) < 1


def test_no_draw_leaves_the_bounds_of_its_field() -> None:
    pue = Field("pue", "", "", least=1.0)
    power = Field("power", "W", "")
    for field, text in ((pue, "1.1..1.3"), (power, "normal(1..9 W)")):
        drawn = draws({"x": read(field, text, {})}, 10_000)["x"]
        assert field.least <= np.min(drawn)
    assert read(pue, "1.1..1.3", {}).quantile(0.95) == pytest.approx(1.3)


def test_each_stratum_is_drawn_once() -> None:
    p = probabilities("x", 1000, seed=3)
    assert sorted(np.floor(p * 1000)) == list(range(1000))


def test_stratified_draws_find_the_median_better_than_plain_ones() -> None:
    spread = {"x": Spread("lognormal", 1, 10)}
    misses = {
        stratified: statistics.mean(
            abs(float(np.mean(np.log(draws(spread, 500, seed, stratified=stratified)["x"])))
                - math.log(10) / 2)
            for seed in range(20)
        )
        for stratified in (True, False)
    }  # fmt: skip
    assert misses[True] < misses[False] / 5


def test_the_seed_and_the_name_say_which_draws() -> None:
    assert np.array_equal(probabilities("x", 100, 7), probabilities("x", 100, 7))
    assert not np.array_equal(probabilities("x", 100, 7), probabilities("x", 100, 8))
    together = np.corrcoef(probabilities("x", 10_000, 7), probabilities("y", 10_000, 7))[0, 1]
    assert abs(together) < 0.03


def test_a_certain_input_stays_a_float() -> None:
    assert draws({"x": point(3.0)}) == {"x": 3.0}


def test_never_stays_never() -> None:
    result = np.array([1.0] * 40 + [math.inf] * 60)
    assert summary(result) == (math.inf, 1.0, math.inf)
