"""Choices: both twins give the same bits, which are right beside float64 and NumPy's Philox."""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import native
from fairwitness.kernels.choices import Cuts, chosen, likeliest, summarised

T = TypeVar("T")
COUNTS = st.sampled_from([1, 2, 15, 16, 17, 255, 256, 257, 511, 512, 513, 1500, 5000, 9001])
SPREADS = st.sampled_from([0.0, 0.1, 3.0, 40.0])


def twins(work: Callable[[], T]) -> list[T]:
    told = [work()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        told.append(work())
    return told


def scores(count: int, spread: float, seed: int, rows: int = 1) -> np.ndarray:
    """Random numbers, some of them equal."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, spread, (rows, count)).astype(np.float32).round(3)


@settings(deadline=None, max_examples=60)
@given(count=COUNTS, spread=SPREADS, seed=st.integers(0, 99), rows=st.integers(0, 4))
def test_a_summary_is_the_likeliest_and_the_log_of_the_sum(count, spread, seed, rows):
    logits_wv = scores(count, spread, seed, rows)
    (first_w, total_w), (plain_first_w, plain_total_w) = twins(lambda: summarised(logits_wv))
    assert first_w.tolist() == plain_first_w.tolist() == np.argmax(logits_wv, 1).tolist()
    assert total_w.tolist() == plain_total_w.tolist()
    exact_w = np.logaddexp.reduce(logits_wv.astype(np.float64), axis=1)
    np.testing.assert_allclose(total_w, exact_w, atol=2e-6)


@given(count=COUNTS, bad=st.sampled_from([math.nan, math.inf, -math.inf]), data=st.data())
def test_a_row_that_holds_no_numbers_is_told_from_its_neighbours(count, bad, data):
    logits_wv = scores(count, 3.0, 0, 3)
    logits_wv[1, data.draw(st.integers(0, count - 1))] = bad
    for _, total_w in twins(lambda: summarised(logits_wv)):
        assert np.isnan(total_w).tolist() == [False, True, False]


@settings(deadline=None, max_examples=60)
@given(count=COUNTS, spread=SPREADS, seed=st.integers(0, 99), few=st.integers(1, 10_000))
def test_the_likeliest_are_those_that_sorting_all_puts_first(count, spread, seed, few):
    score_v = scores(count, spread, seed)[0]
    score_v[::7] *= np.float32(-0.0)  # a zero with a sign is a zero
    order = np.argsort(-score_v, kind="stable")[:few].tolist()
    assert [each.tolist() for each in twins(lambda: likeliest(score_v, few))] == [order, order]


@settings(deadline=None, max_examples=150)
@given(
    count=COUNTS,
    spread=SPREADS,
    seed=st.integers(-(2**70), 2**70),
    place=st.integers(0, 2**40),
    cuts=st.builds(
        Cuts,
        st.sampled_from([0.0, 1e-40, 0.3, 1.0, 5.0, 50.0]),
        st.sampled_from([0, 1, 40, 600, 20_000]),
        st.sampled_from([0.1, 0.5, 0.95, 0.999, 1.0]),
        st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    ),
    share=st.sampled_from([None, 0.01, 0.5]),
)
def test_the_twins_choose_the_same_token_that_is_allowed(count, spread, seed, place, cuts, share):
    score_v = scores(count, spread, 1)[0]
    allowed_v = None if share is None else np.random.default_rng(2).random(count) < share
    if allowed_v is not None:
        allowed_v[count // 2] = True
    native_token, plain_token = twins(lambda: chosen(score_v, allowed_v, cuts, seed, place))
    assert native_token == plain_token
    assert allowed_v is None or allowed_v[native_token]
    if cuts.temperature == 0 or cuts.min_p == 1 or cuts.top_k == 1:
        possible_v = np.where(True if allowed_v is None else allowed_v, score_v, -np.inf)
        assert score_v[native_token] == possible_v.max()


@settings(deadline=None)
@given(
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=1500).filter(any),
    seed=st.integers(0, 2**64 - 1),
    place=st.integers(0, 2**64 - 1),
)
def test_a_draw_is_where_the_running_sum_passes_the_number_of_philox(weights, seed, place):
    weight_v = np.array(weights, np.float64)
    score_v = np.log(np.maximum(weight_v, 1)).astype(np.float32)
    philox = np.random.Philox(key=np.array([seed, place], np.uint64))
    goal = np.random.Generator(philox).random() * weight_v.sum()
    reached = np.cumsum(weight_v)
    for token in twins(lambda: chosen(score_v, weight_v > 0, Cuts(1, 0, 1, 0), seed, place)):
        assert weight_v[token] > 0
        assert reached[token] - weight_v[token] - 0.01 < goal < reached[token] + 0.01
