"""Attention of the native step where a row is blind: to rows behind it, and to what once was."""

from dataclasses import replace

import numpy as np
import pytest

from fairwitness.kernels.formats import Q4_1, Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN, pack
from fairwitness.kernels.stack import Row, Weights

from .test_stack import (
    CONFIG,
    WIDE,
    blocks,
    ids,
    logits,
    make,
    pages_of,
    random_weights,
    table,
)

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

NONE, SOUND = 7, 8  # tokens


def weights_without_a_number(config) -> Weights:
    """A token whose embedding is NaN, and with it its queries, keys and values."""
    told = blocks(np.random.default_rng(6), Q8_0, config.vocabulary, config.width)
    told.reshape(config.vocabulary, -1, 34)[NONE, :, :2] = np.array([np.nan], np.float16).view("u1")
    return replace(random_weights(config, Q4_1), embedding=pack(Q8_0, told))


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("config", [CONFIG, WIDE])
@pytest.mark.parametrize(
    ("start", "place", "count"),
    [(0, 3, 5), (0, 60, 100), (38, 39, 41), (38, 41, 43), (70, 81, 130), (250, 256, 300)],
)
def test_what_is_no_number_reaches_nobody_before_it(
    start, place, count, config, kind, instructions
):
    """In one run, few rows or many; and whoever sees it has no number."""
    stack = make(config, weights_without_a_number(config), 2, instructions)
    tokens = [SOUND if token == NONE else token for token in ids(count, config)]
    cuts = [start, count - start] if start else [count]
    sound = logits(stack, tokens, cuts, pages_of(config, 11, kind))
    tokens[place] = NONE
    got = logits(stack, tokens, cuts, pages_of(config, 11, kind))
    assert np.isfinite(sound).all()
    assert np.array_equal(got[:place], sound[:place])
    assert np.isnan(got[place:]).all()


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("cuts", [[330], [250, 80], [262, *[1] * 8, 60]])
@pytest.mark.parametrize(("window", "place"), [(10, 255), (70, 190), (300, 3)])
def test_what_is_no_number_reaches_nobody_whose_window_is_past_it(
    window, place, cuts, kind, instructions
):
    config = replace(CONFIG, layers=1)
    weights = weights_without_a_number(config)
    weights = replace(weights, layers=[replace(weights.layers[0], window=window)])
    stack = make(config, weights, 2, instructions)
    tokens = [SOUND if token == NONE else token for token in ids(330)]
    sound = logits(stack, tokens, cuts, pages_of(config, 11, kind))
    tokens[place] = NONE
    got = logits(stack, tokens, cuts, pages_of(config, 11, kind))
    assert np.array_equal(got[:place], sound[:place])
    assert np.isnan(got[place : place + window]).all()
    assert np.array_equal(got[place + window :], sound[place + window :])


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("cuts", [[1] * 7, [3, 14, 5], [20, 70], [33, 1, 1]])
def test_pages_may_have_held_anything(cuts, kind, instructions):
    stack = make(CONFIG, random_weights(CONFIG, Q4_1), 2, instructions)
    tokens = ids(sum(cuts))
    clean = logits(stack, tokens, cuts, pages_of(count=9, kind=kind))
    pages = pages_of(count=9, kind=kind)
    pages.data[:] = 255  # not a number
    assert np.array_equal(logits(stack, tokens, cuts, pages), clean)


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
def test_a_guess_that_was_no_number_is_forgotten(kind):
    """Rows that are run again over it, one by one, have the bits of a run without it."""
    stack, places = make(CONFIG, weights_without_a_number(CONFIG)), table(2, 0)
    tokens = [SOUND if token == NONE else token for token in ids(80)]
    whole = logits(stack, tokens, [80], pages_of(count=9, kind=kind))
    pages = pages_of(count=3, kind=kind)
    rows = [Row(token, i, places) for i, token in enumerate(tokens)]
    guessed = [Row(NONE, i, places) for i in range(41, 50)]
    stack.step(rows[:41] + guessed, [], pages)
    got = np.concatenate([stack.step([row], [0], pages) for row in rows[41:]])
    assert np.array_equal(got, whole[41:])
