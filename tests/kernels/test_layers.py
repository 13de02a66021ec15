"""Layers of an encoder in one native call against float64, with each machine's instructions."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels.layers import Stack, stack
from fairwitness.kernels.quantised import AMX, ANY, AVX2, AVX512, PLAIN

WIDTH, INNER, HEADS, EPSILON = 64, 192, 2, 1e-12
FORMS = (PLAIN, AVX2, AVX512, AMX)
LENGTHS = st.integers(1, 50)

Layer = dict[str, Any]


def layers(count: int) -> list[Layer]:
    rng = np.random.default_rng(count)

    def product(given: int, taken: int) -> dict[str, Any]:
        weight = rng.normal(0, 1.5 / taken**0.5, (given, taken)).astype(np.float32)
        return {"weight": weight, "bias": rng.normal(0, 0.2, given).astype(np.float32)}

    def norm() -> dict[str, Any]:
        scale = rng.normal(1, 0.2, WIDTH).astype(np.float32)
        return {"scale": scale, "bias": rng.normal(0, 0.2, WIDTH).astype(np.float32)}

    return [
        {
            "heads": product(3 * WIDTH, WIDTH),
            "output": product(WIDTH, WIDTH),
            "seen_norm": norm(),
            "up": product(INNER, WIDTH),
            "down": product(WIDTH, INNER),
            "thought_norm": norm(),
        }
        for _ in range(count)
    ]


def states(tokens: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(tokens).normal(0, 1, (tokens, WIDTH)).astype(np.float32)


def plainly(told: list[Layer], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same in float64, one head at a time."""

    def through(part: dict[str, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return x @ part["weight"].astype(np.float64).T + part["bias"]

    def normed(part: dict[str, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        away = x - x.mean(1, keepdims=True)
        return away / np.sqrt((away**2).mean(1, keepdims=True)) * part["scale"] + part["bias"]

    x = x.astype(np.float64)
    for layer in told:
        query, key, value = np.split(through(layer["heads"], x), 3, axis=1)
        seen = []
        for head in range(HEADS):
            part = slice(32 * head, 32 * head + 32)
            score = np.exp(query[:, part] @ key[:, part].T / math.sqrt(32))
            seen.append(score / score.sum(1, keepdims=True) @ value[:, part])
        x = normed(layer["seen_norm"], x + through(layer["output"], np.concatenate(seen, axis=1)))
        grown = through(layer["up"], x)
        grown *= np.vectorize(lambda u: (1 + math.erf(u / math.sqrt(2))) / 2)(grown)
        x = normed(layer["thought_norm"], x + through(layer["down"], grown))
    return x


def stacked(told: list[Layer], instructions: int = ANY) -> Stack:
    made = stack(told, HEADS, EPSILON, instructions)
    if made is None:
        pytest.skip("no native kernels, or no such instructions here")
    return made


@pytest.mark.parametrize("instructions", FORMS)
@settings(max_examples=40, deadline=None)
@given(tokens=LENGTHS)
def test_states_are_those_of_float64_but_for_fewer_bits(instructions: int, tokens: int) -> None:
    told, x = layers(2), states(tokens)
    (found,) = stacked(told, instructions).through([x])
    away = np.abs(found - plainly(told, x))
    most = 0.1 if instructions == AMX else 0.3  # bfloat16, or bytes
    assert away.max() < most
    assert away.mean() < most / 10


@pytest.mark.parametrize("instructions", FORMS)
@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(LENGTHS, min_size=1, max_size=5))
def test_a_text_has_the_same_bits_in_whatever_company(
    instructions: int, lengths: list[int]
) -> None:
    made, texts = stacked(layers(1), instructions), [states(tokens) for tokens in lengths]
    together = made.through(texts)
    assert all(
        np.array_equal(one, alone)
        for text, one in zip(texts, together, strict=True)
        for alone in made.through([text])
    )


@settings(max_examples=40, deadline=None)
@given(tokens=LENGTHS)
def test_two_widths_of_registers_find_the_same_bits(tokens: int) -> None:
    wide, narrow = (stacked(layers(2), each) for each in (AVX512, AVX2))
    assert np.array_equal(wide.through([states(tokens)]), narrow.through([states(tokens)]))


@pytest.mark.parametrize("instructions", FORMS)
def test_layers_can_be_gone_through_in_parts_and_leave_what_they_are_given(
    instructions: int,
) -> None:
    made, x = stacked(layers(3), instructions), states(20)
    first = made.through([x], 0, 2)
    assert np.array_equal(x, states(20))
    assert np.abs(made.through([x])[0] - made.through(first, 2)[0]).max() < 1e-5


@pytest.mark.parametrize("instructions", FORMS)
def test_a_score_that_is_far_above_all_others_breaks_nothing(instructions: int) -> None:
    told = layers(1)
    told[0]["heads"]["weight"] *= 60
    (found,) = stacked(told, instructions).through([states(33)])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("instructions", FORMS)
def test_what_is_no_number_stays_in_its_text(instructions: int) -> None:
    made, broken = stacked(layers(1), instructions), states(7)
    broken[3, 5] = np.nan
    spoilt, whole = made.through([broken, states(9)])
    assert np.isnan(spoilt).any()
    assert np.array_equal(whole, made.through([states(9)])[0])


@pytest.mark.parametrize("instructions", FORMS)
def test_weights_of_nothing_give_biases(instructions: int) -> None:
    told = layers(1)
    for name in ("heads", "output", "up", "down"):
        told[0][name]["weight"][:] = 0
    x = states(5)
    (found,) = stacked(told, instructions).through([x])
    assert np.abs(found - plainly(told, x)).max() < 1e-4


def test_matrices_of_other_sizes_are_refused() -> None:
    told = layers(1)
    with pytest.raises(AssertionError):
        stack(told, 3, EPSILON)
