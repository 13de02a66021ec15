"""The simulation against arithmetic, queueing theory, and the closed forms of capacity."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.planner.errors import PlanError
from fairwitness.planner.serving.arrivals import Arrival, poisson, read_trace
from fairwitness.planner.serving.capacity import (
    Mix,
    largest_batch,
    million_tokens_usd,
    slots,
    split_usd,
    throughput,
)
from fairwitness.planner.serving.pace import Pace, Served, answers_s, prompt_s
from fairwitness.planner.serving.simulate import Policy, simulate
from fairwitness.planner.shapes import active_weights, find_shape, weights

SERVED = Served(find_shape("llama-3.1-8b"))
PACE = Pace(500e12, 400e12, 2.5e12, 0.001)
# a second each step, a tenth for an answer's token, a hundredth for a prompt's
COUNTED = Pace(math.inf, math.inf, math.inf, 1.0, answer_s=0.1, prompt_token_s=0.01)


def test_one_request_alone_takes_its_prompt_and_its_tokens() -> None:
    seen = simulate(SERVED, PACE, Policy(slots=4), [Arrival(1.0, 1000, 11)])
    (told,) = seen.requests
    assert told.first_s == pytest.approx(float(prompt_s(SERVED, PACE, 1000.0)), rel=0.02)
    one = float(answers_s(SERVED, PACE, 1.0, 1005.0))
    assert told.token_s == pytest.approx(one, rel=1e-3)
    assert told.total_s == pytest.approx(told.first_s + 10 * told.token_s)
    assert seen.answer_tokens == 11


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.integers(1, 5000), st.integers(1, 20)),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 8),
    st.sampled_from([64, 512, 100_000]),
    st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_everybody_is_answered_in_order_and_in_full(
    rows: list[tuple[float, int, int]], most: int, chunk: int, apart: float
) -> None:
    arrivals = sorted((Arrival(*row) for row in rows), key=lambda each: each.at_s)
    pace = Pace(500e12, 400e12, 2.5e12, 0.001, apart=apart)
    seen = simulate(SERVED, pace, Policy(most, chunk), arrivals)
    assert len(seen.requests) == len(arrivals)
    assert seen.answer_tokens == sum(each.answer_tokens for each in arrivals)
    assert all(0 < each.first_s <= each.total_s for each in seen.requests)
    assert 0 < seen.busy_share <= 1 + 1e-9


def test_a_single_slot_is_the_queue_of_pollaczek_and_khinchine() -> None:
    # M/D/1: the mean wait is rho s / (2 (1 - rho))
    service_s = simulate(SERVED, PACE, Policy(1), [Arrival(0.0, 500, 2)]).lasted_s
    load = 0.7
    arrivals = poisson(20_000, load / service_s, 500, 2, 0.0, 0.0, seed=1)
    seen = simulate(SERVED, PACE, Policy(1), arrivals)
    waited_s = np.mean([each.total_s for each in seen.requests]) - service_s
    assert waited_s == pytest.approx(load * service_s / (2 * (1 - load)), rel=0.05)
    assert seen.busy_share == pytest.approx(load, abs=0.02)


def test_clients_that_ask_again_keep_the_throughput_of_the_closed_form() -> None:
    arrivals = [Arrival(0.0, 1000, 200)] * 600
    seen = simulate(SERVED, PACE, Policy(32, clients=32), arrivals)
    expected = throughput(SERVED, PACE, Mix(1000.0, 200.0), 32.0)
    ratio = seen.tokens_per_s / 200 / float(expected.requests_per_s)
    # a step that carries both hides reading weights behind a prompt's arithmetic: a little faster
    assert 1 <= ratio < 1.15


def test_prompts_share_a_step_and_the_oldest_goes_first() -> None:
    seen = simulate(SERVED, COUNTED, Policy(8, 128), [Arrival(0.0, 64, 4)] * 6)
    firsts = sorted(each.first_s for each in seen.requests)
    # 128 tokens in each of three steps; the answers of who is done come along: 0, then 2, then 4
    one, two, three = 1 + 1.28, 1 + 1.28 + 0.2, 1 + 1.28 + 0.4
    assert firsts == pytest.approx([one] * 2 + [one + two] * 2 + [one + two + three] * 2)
    # all have written 1 to 3 tokens; 4, 4, and 2 are left to write in three steps
    assert seen.lasted_s == pytest.approx(one + two + three + 1.6 + 1.4 + 1.2)


def test_clients_pause_before_they_ask_again() -> None:
    seen = simulate(SERVED, COUNTED, Policy(8, 128, clients=1), [Arrival(5.0, 100, 2)] * 3)
    assert [each.first_s for each in seen.requests] == pytest.approx([2.0] * 3)
    assert seen.lasted_s == pytest.approx(3 * (5.0 + 2.0 + 1.1))


def test_whole_pages_of_a_beginning_are_shared() -> None:
    def first_s(cached: int) -> float:
        arrivals = [Arrival(0.0, 128, 1, cached)]
        return simulate(SERVED, COUNTED, Policy(8, 128, page_tokens=64), arrivals).lasted_s

    assert first_s(63) == first_s(0) == pytest.approx(2.28)
    assert first_s(127) == first_s(64) == pytest.approx(1.64)


def test_more_load_means_later_first_tokens() -> None:
    firsts = [
        simulate(SERVED, PACE, Policy(16), poisson(800, rate, 2000, 100, 0.0, 1.0, 0)).rank(
            "first_s", 95
        )
        for rate in (1.0, 10.0, 30.0)
    ]
    assert firsts == sorted(firsts)
    assert firsts[2] > 1.5 * firsts[0]


def test_cached_prefixes_shorten_the_first_token_alone() -> None:
    cold = simulate(SERVED, PACE, Policy(4), [Arrival(0.0, 4000, 10)]).requests[0]
    warm = simulate(SERVED, PACE, Policy(4), [Arrival(0.0, 4000, 10, 3000)]).requests[0]
    assert warm.first_s < 0.5 * cold.first_s
    assert warm.token_s == pytest.approx(cold.token_s)


@given(st.floats(10, 1e4), st.floats(1, 1e3), st.floats(0.005, 1.0))
def test_the_largest_batch_is_the_last_that_keeps_the_pace(
    prompt: float, answer: float, limit_s: float
) -> None:
    mix = Mix(prompt, answer)
    batch = float(largest_batch(SERVED, PACE, mix, 500.0, limit_s))
    if batch >= 1:
        assert throughput(SERVED, PACE, mix, batch).token_s <= limit_s
    if batch < 500:
        assert throughput(SERVED, PACE, mix, batch + 1).token_s > limit_s


def test_slots_are_what_memory_leaves() -> None:
    mix = Mix(1000.0, 200.0)
    held = slots(SERVED, 1, 80e9, 6e9, mix)
    cache = 131_072 * 1100 + 131_072 * 100  # 1,200 tokens, whole caches at their end
    assert held == np.floor((74e9 - SERVED.weight_bytes) / cache)
    assert slots(SERVED, 1, 20e9, 6e9, mix) == 0


def test_copies_of_what_is_not_routed_are_held_and_read_once_each() -> None:
    shape = find_shape("deepseek-v3")
    one, many = Served(shape, 1.0), Served(shape, 1.0, copies=16)
    apart = weights(shape).total - weights(shape).experts
    assert many.weight_bytes - one.weight_bytes == 15 * apart
    tables = shape.vocabulary * shape.width  # the input's is only looked up
    assert many.read_bytes(64.0) - one.read_bytes(64.0) == pytest.approx(15 * (apart - tables))
    assert one.read_bytes(1.0) == pytest.approx(active_weights(shape) - tables)
    assert one.read_bytes(10_000.0) == pytest.approx(weights(shape).total - tables)


def test_deepseeks_price_of_a_million_answer_tokens() -> None:
    # day 6 of open-infra-index: 168e9 tokens for 87,072 USD on 226.75 x 8 chips at 2 USD
    rate = 168e9 / 86_400
    assert million_tokens_usd(2.0, 226.75 * 8, rate) == pytest.approx(0.518, abs=0.001)
    assert sum(split_usd(10.0, 1.0, 3.0)) == 10


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "no request"),
        ("[]", "no request"),
        ('{"at_s": 0, "prompt_tokens": 5}', "answer_tokens"),
        ('{"at_s": -1, "prompt_tokens": 5, "answer_tokens": 1}', "cannot be"),
        ('{"at_s": 0, "prompt_tokens": 5, "answer_tokens": 0}', "cannot be"),
        ('{"at_s": 0, "prompt_tokens": 5, "answer_tokens": 1, "cached_tokens": 5}', "cannot be"),
        ('{"at_s": NaN, "prompt_tokens": 5, "answer_tokens": 1}', "cannot be"),
    ],
)
def test_a_trace_that_cannot_be_names_its_line(tmp_path: Path, line: str, told: str) -> None:
    good = '{"at_s": 3, "prompt_tokens": 5, "answer_tokens": 2}'
    (tmp_path / "trace.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(PlanError, match=rf"trace\.jsonl:2: .*{told}"):
        read_trace(tmp_path / "trace.jsonl")
    (tmp_path / "trace.jsonl").write_text(good)
    assert read_trace(tmp_path / "trace.jsonl") == [Arrival(3.0, 5, 2)]


def test_poisson_arrivals_have_the_means_that_were_asked() -> None:
    arrivals = poisson(20_000, 5.0, 1000, 200, 0.3, 1.0, 0)
    assert arrivals[-1].at_s / 20_000 == pytest.approx(0.2, rel=0.03)
    assert np.mean([each.prompt_tokens for each in arrivals]) == pytest.approx(1000, rel=0.05)
    assert np.mean([each.cached_tokens for each in arrivals]) == pytest.approx(300, rel=0.05)
