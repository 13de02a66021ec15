"""Layers of an encoder in one native call against float64, at any length of a text."""

import math
from typing import Any

import numpy as np
import pytest

from fairwitness.kernels.layers import Stack, stack

WIDTH, INNER, HEADS, EPSILON = 64, 96, 2, 1e-12
LENGTHS = (1, 2, 15, 16, 17, 31, 32, 33, 50)

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


def native(told: Stack) -> None:
    if told.through(states(1)) is None:
        pytest.skip("NO AMX HERE: layers are read in numpy")


@pytest.mark.parametrize("tokens", LENGTHS)
def test_states_are_those_of_float64_but_for_halves(tokens: int) -> None:
    told, x = layers(2), states(tokens)
    made = stack(told, HEADS, EPSILON)
    native(made)
    found = made.through(x)
    assert found is not None
    away = np.abs(found - plainly(told, x))
    assert away.max() < 0.1
    assert away.mean() < 0.01


def test_layers_can_be_gone_through_in_parts_and_leave_what_they_are_given() -> None:
    told = stack(layers(3), HEADS, EPSILON)
    native(told)
    x = states(20)
    first = told.through(x, 0, 2)
    assert first is not None
    assert np.array_equal(x, states(20))
    whole, rest = told.through(x), told.through(first, 2)
    assert whole is not None
    assert rest is not None
    assert np.abs(whole - rest).max() < 1e-5


def test_a_score_that_is_far_above_all_others_breaks_nothing() -> None:
    told = layers(1)
    told[0]["heads"]["weight"] *= 60
    made = stack(told, HEADS, EPSILON)
    native(made)
    found = made.through(states(33))
    assert found is not None
    assert np.isfinite(found).all()


def test_matrices_of_other_sizes_are_refused() -> None:
    told = layers(1)
    with pytest.raises(AssertionError):
        stack(told, 3, EPSILON)
