import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine import NonFiniteLogitsError, Request
from fairwitness.engine.choosing import Choosing
from fairwitness.engine.sample import Logits, adjusted, rows_of, sample, top_logprobs


def row(numbers) -> Logits:
    return rows_of(np.array(numbers, np.float32)[None])[0]


LOGITS = row(np.log([0.5, 0.25, 0.15, 0.1]))


def draws(**settings) -> np.ndarray:
    request = Request((1,), 1, **settings)
    return np.array([sample(LOGITS, request, place)[0] for place in range(4000)])


def test_temperature_zero_takes_the_likeliest():
    token, logprob = sample(row(np.log([0.1, 0.15, 0.25, 0.5])), Request((1,), 1), 0)
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
    assert logprob == pytest.approx(float(LOGITS.row_v[token]), abs=1e-6)


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
    first = sample(row(logits), request, place)
    assert 0 <= first[0] < len(logits)
    assert first == sample(row(logits), request, place)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(bad):
    with pytest.raises(NonFiniteLogitsError):
        sample(row([0.0, bad]), Request((1,), 1), 0)


def sorted_draw(logits_v: np.ndarray, request: Request, place: int) -> int:
    """The same draw by sorting all tokens, in float64."""
    wide_v = logits_v.astype(np.float64)
    order_v = np.argsort(-wide_v, kind="stable")[: request.top_k or None]
    weight_v = np.exp((wide_v - wide_v.max()) / request.temperature)
    reached_v = np.cumsum(weight_v[order_v])
    kept = int(np.searchsorted(reached_v, request.top_p * reached_v[-1])) + 1
    ids = np.sort(order_v[:kept])
    key = np.array([request.seed, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    drawn_v = np.cumsum(weight_v[ids])
    return int(ids[np.searchsorted(drawn_v, uniform * drawn_v[-1], side="right")])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("top_p", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("top_k", [0, 40, 1000])
def test_sorting_few_draws_what_sorting_all_does(temperature, top_p, top_k):
    """But for rare draws that fall within rounding of the border between two tokens."""
    logits_v = np.random.default_rng(4).normal(0, 3, 5000).astype(np.float32).round(1)
    request = Request((1,), 1, temperature=temperature, top_p=top_p, top_k=top_k, seed=8)
    same = [
        sample(row(logits_v), request, place)[0] == sorted_draw(logits_v, request, place)
        for place in range(40)
    ]
    assert sum(same) >= 39


# ── settings that change likelihoods, and cuts, against plain loops ──────────────────────────────


@st.composite
def whole_settings(draw) -> dict[str, object]:
    penalty = st.sampled_from([0.0, -2.0, 0.5, 2.0])
    bias = st.dictionaries(st.integers(0, 11), st.floats(-100, 100), max_size=3)
    return {
        "temperature": draw(st.sampled_from([0.0, 0.3, 1.0, 4.0])),
        "top_k": draw(st.integers(0, 14)),
        "top_p": draw(st.sampled_from([0.1, 0.5, 0.9, 1.0])),
        "min_p": draw(st.sampled_from([0.0, 0.05, 0.5, 1.0])),
        "presence_penalty": draw(penalty),
        "frequency_penalty": draw(penalty),
        "repetition_penalty": draw(st.sampled_from([1.0, 0.5, 1.3])),
        "logit_bias": tuple(draw(bias).items()),
        "seed": draw(st.integers(0, 2**64)),
    }


def by_the_book(logits: list[float], request: Request, counts, allowed) -> list[tuple[int, float]]:
    """What may be drawn and how probable it is, told in loops, likeliest first."""
    scored = {}
    for token, logit in enumerate(np.float64(logits)):
        if allowed is not None and not allowed[token]:
            continue
        logit += dict(request.logit_bias).get(token, 0.0)
        if token in counts:
            factor = request.repetition_penalty
            logit = logit / factor if logit > 0 else logit * factor
            logit -= request.frequency_penalty * counts[token]
            logit -= request.presence_penalty if counts[token] else 0
        scored[token] = logit
    order = sorted(scored, key=lambda token: (-scored[token], token))
    if request.temperature == 0:
        return [(order[0], 1.0)]
    peak = scored[order[0]]
    weight = {token: np.exp((scored[token] - peak) / request.temperature) for token in order}
    order = [token for token in order if weight[token] >= request.min_p]
    order = order[: request.top_k or None]
    total = sum(weight[token] for token in order)
    kept, reached = [], 0.0
    for token in order:
        kept.append(token)
        reached += weight[token]
        if reached >= request.top_p * total:
            break
    total = sum(weight[token] for token in kept)
    return [(token, weight[token] / total) for token in kept]


@given(
    data=st.data(),
    logits=st.lists(st.integers(-6, 6), min_size=12, max_size=12, unique=False),
    settings=whole_settings(),
    counts=st.dictionaries(st.integers(0, 11), st.integers(0, 3)),
    place=st.integers(0, 1000),
)
def test_a_token_is_drawn_as_the_book_says(data, logits, settings, counts, place):
    # distances that no rounding blurs, so that cuts fall the same way in both
    spread = np.array(logits, np.float32) + np.arange(12, dtype=np.float32) / 37
    allowed = data.draw(st.none() | st.lists(st.booleans(), min_size=12, max_size=12).filter(any))
    mask = None if allowed is None else np.array(allowed)
    request = Request((1,), 1, **settings)
    token, logprob = sample(row(spread), request, place, counts, mask)
    book = by_the_book(spread.tolist(), request, counts, allowed)
    told = dict(book)
    assert token in told or min(told.values()) < 1e-6
    exact = spread.astype(np.float64)
    assert logprob == pytest.approx(exact[token] - np.logaddexp.reduce(exact), abs=1e-5)
    if settings["temperature"] > 0:
        key = np.array([request.seed % 2**64, place], np.uint64)
        uniform = np.random.Generator(np.random.Philox(key=key)).random()
        ids = sorted(told)
        reached = np.cumsum([told[each] for each in ids])
        edge = np.abs(reached - uniform).min()
        first = int(np.searchsorted(reached, uniform, side="right"))
        assert edge < 1e-5 or token == ids[min(first, len(ids) - 1)]


def test_min_p_keeps_what_is_near_the_likeliest():
    assert set(draws(temperature=1.0, min_p=0.51)) == {0}
    assert set(draws(temperature=1.0, min_p=0.49)) == {0, 1}
    assert set(draws(temperature=1.0, min_p=0.21)) == {0, 1, 2}, "0.1 / 0.5 is below"
    assert set(draws(temperature=1.0, min_p=0.21, top_k=2)) == {0, 1}


def test_bias_bans_and_commands():
    banned = Request((1,), 1, logit_bias=((0, -100.0),))
    assert sample(LOGITS, banned, 0)[0] == 1
    wanted = Request((1,), 1, temperature=1.0, logit_bias=((3, 100.0),))
    assert {sample(LOGITS, wanted, place)[0] for place in range(50)} == {3}
    assert sample(LOGITS, wanted, 0)[1] == pytest.approx(np.log(0.1), abs=1e-5)


def test_penalties_mind_what_was_written_and_repetition_what_was_read_too():
    once, read = {0: 1}, {0: 0}
    logits_v = np.array([1.0, 0.5, -1.0], np.float32)
    present = Request((1,), 1, presence_penalty=0.6)
    frequent = Request((1,), 1, frequency_penalty=0.2)
    assert sample(row(logits_v), present, 0, once)[0] == 1
    assert sample(row(logits_v), present, 0, read)[0] == 0
    assert sample(row(logits_v), frequent, 0, {0: 2})[0] == 0
    assert sample(row(logits_v), frequent, 0, {0: 3})[0] == 1
    assert sample(row(logits_v), Request((1,), 1, repetition_penalty=2.1), 0, read)[0] == 1
    changed_v = adjusted(logits_v, Request((1,), 1, repetition_penalty=2.0), {0: 0, 2: 1})
    np.testing.assert_array_equal(changed_v, [0.5, 0.5, -2.0])
    np.testing.assert_array_equal(logits_v, [1.0, 0.5, -1.0])


@given(logits=st.lists(st.integers(-9, 9), min_size=1, max_size=40), most=st.integers(1, 50))
def test_top_logprobs_are_the_likeliest_in_order(logits, most):
    logits_v = np.array(logits, np.float32)
    top = top_logprobs(row(logits_v), most)
    expected = sorted(range(len(logits)), key=lambda token: (-logits[token], token))[:most]
    assert [token for token, _ in top] == expected
    for token, logprob in top:
        assert logprob == pytest.approx(logits[token] - np.logaddexp.reduce(logits), abs=1e-5)
    if most >= len(logits):
        assert sum(np.exp(logprob) for _, logprob in top) == pytest.approx(1, abs=1e-5)


# ── an answer ────────────────────────────────────────────────────────────────────────────────────


def rows(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (count, 30)).astype(np.float32)


def test_an_answer_counts_what_it_wrote():
    flat_v = np.zeros(5, np.float32)
    flat_v[2] = 1.0
    choosing = Choosing(Request((1,), 9, frequency_penalty=0.6), 4)
    tokens = [choosing.next(row(flat_v)) for _ in range(4)]
    assert [token.id for token in tokens] == [2, 2, 0, 1], "1.0, 0.4, -0.2 and others 0"
    assert [token.finish for token in tokens] == [None, None, None, "length"]


def test_repetition_minds_the_prompt_from_the_start():
    logits_v = np.array([1.0, 0.9], np.float32)
    assert Choosing(Request((0,), 9), 9).next(row(logits_v)).id == 0
    assert Choosing(Request((0,), 9, repetition_penalty=1.2), 9).next(row(logits_v)).id == 1
    assert Choosing(Request((0,), 9, presence_penalty=1.2), 9).next(row(logits_v)).id == 0


def test_a_stop_id_ends_it_and_top_logprobs_come_with_each_token():
    logits_v = np.array([0.0, 3.0, 1.0], np.float32)
    token = Choosing(Request((0,), 9, stop_ids=(1,), top_logprobs=2), 9).next(row(logits_v))
    assert (token.id, token.finish) == (1, "stop")
    assert [each for each, _ in token.top] == [1, 2]
    assert token.top[0][1] == token.logprob


@given(
    seed=st.integers(0, 9),
    draft=st.lists(st.integers(0, 29), min_size=8, max_size=8),
    settings=whole_settings(),
)
def test_checking_a_draft_by_asking_row_for_row_changes_no_token(seed, draft, settings):
    """Rows that stand for a model: what follows a token depends on the place and that token."""
    table = rows(seed, 8 * 30).reshape(8, 30, 30)
    settings["logit_bias"] = ()
    request = Request((3,), 8, **settings)

    def answer(drafted: list[int]) -> list[int]:
        choosing, said = Choosing(request, 8), [3]
        while choosing.place < 8:
            start = choosing.place
            guesses = drafted[start:]
            for before, place in zip([said[-1], *guesses], range(start, 8), strict=False):
                token = choosing.next(row(table[place, before]))
                said.append(token.id)
                if place == 7 or token.id != guesses[place - start]:
                    break
        return said

    plain = answer([-1] * 8)
    assert answer(draft) == plain
    assert answer(plain[1:]) == plain
