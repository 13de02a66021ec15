import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine import NonFiniteLogitsError, Request
from fairwitness.engine.sample import sample

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))


def draws(**settings) -> np.ndarray:
    request = Request((1,), 1, **settings)
    return np.array([sample(LOGITS, request, place)[0] for place in range(4000)])


def test_temperature_zero_takes_the_likeliest():
    token, logprob = sample(LOGITS[::-1], Request((1,), 1), 0)
    assert token == 3
    assert logprob == pytest.approx(np.log(0.5), abs=1e-6)


def test_draws_follow_the_probabilities():
    counts = np.bincount(draws(temperature=1.0), minlength=4) / 4000
    np.testing.assert_allclose(counts, [0.5, 0.25, 0.15, 0.1], atol=0.03)


def test_temperature_sharpens():
    squares = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    counts = np.bincount(draws(temperature=0.5), minlength=4) / 4000
    np.testing.assert_allclose(counts, squares / squares.sum(), atol=0.03)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"top_k": 1}, {0}),
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.4}, {0}),
        ({"top_p": 0.7}, {0, 1}),
        ({"top_p": 0.76}, {0, 1, 2}),
        ({"top_p": 0.99, "top_k": 3}, {0, 1, 2}),
        ({"top_p": 1.0}, {0, 1, 2, 3}),
    ],
)
def test_cuts_keep_the_likeliest(settings, kept):
    assert set(draws(temperature=1.0, **settings)) == kept


def test_logprob_is_the_models_own():
    token, logprob = sample(LOGITS, Request((1,), 1, temperature=3.0, top_k=2), 17)
    assert logprob == pytest.approx(float(LOGITS[token]), abs=1e-6)


@given(
    logits=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=50),
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 60),
    top_p=st.floats(0.01, 1),
    seed=st.integers(-(2**70), 2**70),
    place=st.integers(0, 10_000),
)
def test_any_setting_gives_a_token_and_the_same_again(
    logits, temperature, top_k, top_p, seed, place
):
    request = Request((1,), 1, temperature, top_k, top_p, seed)
    first = sample(np.array(logits, np.float32), request, place)
    assert 0 <= first[0] < len(logits)
    assert first == sample(np.array(logits, np.float32), request, place)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(bad):
    with pytest.raises(NonFiniteLogitsError):
        sample(np.array([0.0, bad], np.float32), Request((1,), 1), 0)


def sorted_draw(logits_v: np.ndarray, request: Request, place: int) -> int:
    """The same draw by sorting all tokens."""
    wide_v = logits_v.astype(np.float64)
    order_v = np.argsort(-wide_v, kind="stable")[: request.top_k or None]
    weight_v = np.exp((wide_v[order_v] - wide_v.max()) / request.temperature)
    reached_v = np.cumsum(weight_v / weight_v.sum())
    kept = int(np.searchsorted(reached_v, request.top_p)) + 1
    key = np.array([request.seed, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    end = reached_v[min(kept, len(reached_v)) - 1]
    chosen = int(np.searchsorted(reached_v[:kept], uniform * end, side="right"))
    return int(order_v[min(chosen, kept - 1, len(order_v) - 1)])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("top_p", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("top_k", [0, 40, 1000])
def test_sorting_few_draws_what_sorting_all_does(temperature, top_p, top_k):
    logits_v = np.random.default_rng(4).normal(0, 3, 5000).astype(np.float32).round(1)
    request = Request((1,), 1, temperature=temperature, top_p=top_p, top_k=top_k, seed=8)
    for place in range(40):
        assert sample(logits_v, request, place)[0] == sorted_draw(logits_v, request, place)
