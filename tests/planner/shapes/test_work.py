"""Arithmetic of a token against papers, and against a count over positions one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.shapes import (
    Window,
    active_weights,
    decode_flops,
    find_shape,
    forward_flops,
    kv_sequence_bytes,
    kv_token_bytes,
    prefill_flops,
    simple_training_flops,
    training_flops,
)
from fairwitness.planner.shapes.shape import ModelShape
from fairwitness.planner.shapes.work import mean_seen_keys, seen_keys


@pytest.mark.parametrize(
    ("name", "tokens", "published", "tolerance"),
    [
        ("llama-3.1-405b", 15.6e12, 3.8e25, 0.01),  # arXiv 2407.21783
        ("gpt-3", 300e9, 3.14e23, 0.01),  # arXiv 2005.14165, table D.1
        ("palm-540b", 780e9, 2.527e24, 0.01),  # arXiv 2204.02311
    ],
)
def test_six_n_d(name: str, tokens: float, published: float, tolerance: float) -> None:
    computed = simple_training_flops(active_weights(find_shape(name)), tokens)
    assert computed == pytest.approx(published, rel=tolerance)


def test_attention_of_405b_adds_4_percent_at_8k() -> None:
    shape = find_shape("llama-3.1-405b")
    attention = training_flops(shape, 8192) - training_flops(shape, 0)
    assert attention == pytest.approx(6 * 126 * 8192 * 16384)  # 6 L s d
    assert attention / (6 * 405e9) == pytest.approx(0.042, abs=0.0005)


def test_latent_attention_is_cheap_to_decode_from_the_cached_vectors() -> None:
    shape = find_shape("deepseek-v3")
    with_context = decode_flops(shape, 5000) - decode_flops(shape, 0)
    assert with_context == pytest.approx(2 * 128 * (2 * 512 + 64) * 61 * 5000)


@given(
    st.integers(1, 400), st.integers(1, 500), st.integers(0, 4), st.sampled_from([0, 1, 100, 399])
)
def test_prefill_is_the_sum_over_positions(
    tokens: int, window: int, every: int, cached: int
) -> None:
    shape = _tiny(Window(window, every))
    cached = min(cached, tokens - 1)
    head = 2 * shape.vocabulary * shape.width
    one_by_one = sum(
        decode_flops(shape, position + 0.5) - head for position in range(cached, tokens)
    )
    # the window's edge falls between positions, where midpoints and the integral differ a little
    assert prefill_flops(shape, tokens, cached) == pytest.approx(one_by_one + head, rel=2e-3)


@given(st.floats(1, 1e6), st.integers(1, 10_000), st.integers(0, 4))
def test_a_window_never_costs_more(tokens: float, window: int, every: int) -> None:
    whole, windowed = _tiny(None), _tiny(Window(window, every))
    assert mean_seen_keys(windowed, tokens) <= mean_seen_keys(whole, tokens) * (1 + 1e-12)
    assert seen_keys(windowed, tokens) <= seen_keys(whole, tokens)
    assert kv_sequence_bytes(windowed, tokens, 2) <= tokens * kv_token_bytes(whole, 2)
    assert forward_flops(windowed, tokens) <= forward_flops(whole, tokens) * (1 + 1e-12)


def _tiny(window: Window | None) -> ModelShape:
    return ModelShape("tiny", 4, 32, 4, 2, 8, 64, 100, 1000, window=window)
