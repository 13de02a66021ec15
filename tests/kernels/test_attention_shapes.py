"""Attention at shapes that nobody chose, against float64: one layer, whose MLP gives nothing."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels.formats import Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.pages import PAGE, Kind, Pages
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN, pack, unpack
from fairwitness.kernels.stack import LayerWeights, Row, Shape, Stack, Ways, Weights

from .test_stack import blocks

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

# Of numbers of about 1: products take vectors in whole numbers of 16 bits, and what pages keep is
# rounded to 11 bits or to 8. What is near the middle of two may be rounded otherwise in float64.
BOUNDS: dict[Kind, float] = {"f32": 2e-4, "f16": 1.2e-3, "int8": 1e-2}


@dataclass(frozen=True)
class Case:
    """A layer; how many rows stand before those that are looked at, and how these are cut."""

    shape: Shape
    ways: Ways
    window: int | None
    kind: Kind
    before: int
    cuts: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kv_heads, sharing = draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 3, 7]))
    size = 32 * draw(st.sampled_from([1, 2, 3, 8]))
    shape = Shape(40, 32 * draw(st.integers(1, 3)), 1, kv_heads * sharing, kv_heads, size, 32)
    ways = Ways(
        query_scale=draw(st.none() | st.floats(0.05, 0.5)),
        score_cap=draw(st.none() | st.floats(0.5, 50.0)),
    )
    window = draw(st.none() | st.integers(1, 90) | st.integers(200, 300))
    kind: Kind = draw(st.sampled_from(["f32", "f16", "int8"]))
    before = draw(st.integers(0, 90) | st.integers(230, 330))
    cuts = draw(st.lists(st.integers(1, 20) | st.integers(60, 70), min_size=1, max_size=3))
    return Case(shape, ways, window, kind, before, cuts)


def weights_of(case: Case) -> Weights:
    rng, shape = np.random.default_rng(9), case.shape
    queries, keys = shape.query_heads * shape.head_size, shape.kv_heads * shape.head_size

    def matrix(rows: int, columns: int):
        return pack(Q8_0, blocks(rng, Q8_0, rows, columns))

    nothing = np.zeros((shape.width, shape.hidden // 32 * 34), np.uint8)
    layer = LayerWeights(
        np.ones(shape.width, np.float32),
        np.ones(shape.width, np.float32),
        matrix(queries + keys, shape.width),
        matrix(keys, shape.width),
        matrix(shape.width, queries),
        matrix(2 * shape.hidden, shape.width),
        pack(Q8_0, nothing),
        window=case.window,
    )
    table = matrix(shape.vocabulary, shape.width)
    wave = (100.0 ** (-np.arange(shape.head_size // 2) / shape.head_size)).astype(np.float32)
    return Weights(table, table, layer.mlp_norm, wave, [layer], ways=case.ways)


def given_by_the_layer(case: Case, weights: Weights, tokens: list[int], instructions: int):
    """What the layer adds to the rows that are looked at; its pages do not lie in order."""
    stack = Stack(case.shape, 1e-5, weights, 2, instructions)
    pages = Pages(case.shape, -(-len(tokens) // PAGE), case.kind)
    places, out = list(range(pages.count))[::-1], []
    rows = [Row(token, i, places) for i, token in enumerate(tokens)]
    if case.before:
        stack.step(rows[: case.before], (), pages)
    for end, size in zip(case.before + np.cumsum(case.cuts), case.cuts, strict=True):
        out.append(stack.run(rows[end - size : end], (), range(size), pages).hidden_sd)
    return np.concatenate(out) - unpack(weights.embedding)[tokens[case.before :]]


def expected(case: Case, weights: Weights, tokens: list[int]) -> np.ndarray:
    """The same in float64."""
    shape, (layer,), count = case.shape, weights.layers, len(tokens)
    x_nd = unpack(weights.embedding)[tokens].astype(np.float64)
    x_nd /= np.sqrt(np.square(x_nd).mean(1, keepdims=True) + 1e-5)
    both = (x_nd @ unpack(layer.query_key).T).reshape(count, -1, shape.head_size)
    turned = rotated(both, weights.frequencies)
    q_nhk = turned[case.before :, : shape.query_heads]
    k_ngk = kept(case.kind, turned[:, shape.query_heads :])
    v_ngk = kept(case.kind, (x_nd @ unpack(layer.value).T).reshape(k_ngk.shape))
    sharing = shape.query_heads // shape.kv_heads
    k_nhk, v_nhk = np.repeat(k_ngk, sharing, 1), np.repeat(v_ngk, sharing, 1)
    score_hnm = np.einsum("nhk,mhk->hnm", q_nhk, k_nhk, optimize=True)
    score_hnm *= case.ways.query_scale or shape.head_size**-0.5
    if case.ways.score_cap:
        score_hnm = case.ways.score_cap * np.tanh(score_hnm / case.ways.score_cap)
    behind_nm = np.arange(case.before, count)[:, None] - np.arange(count)
    seen_nm = (behind_nm >= 0) & (behind_nm < (case.window or count))
    weight_hnm = np.where(seen_nm, np.exp(score_hnm - score_hnm.max(2, keepdims=True)), 0)
    weight_hnm /= weight_hnm.sum(2, keepdims=True)
    mixed_nhk = np.einsum("hnm,mhk->nhk", weight_hnm, v_nhk, optimize=True)
    return mixed_nhk.reshape(count - case.before, -1) @ unpack(layer.out).T


def rotated(x_nhk: np.ndarray, frequency_k: np.ndarray) -> np.ndarray:
    angle_n1k = np.arange(len(x_nhk))[:, None, None] * frequency_k.astype(np.float64)
    pairs = np.split(x_nhk, 2, axis=-1)
    turned = (pairs[0] + 1j * pairs[1]) * np.exp(1j * angle_n1k)
    return np.concatenate([turned.real, turned.imag], axis=-1)


def kept(kind: Kind, x_ngk: np.ndarray) -> np.ndarray:
    """As pages keep it."""
    if kind == "f32":
        return x_ngk
    if kind == "f16":
        return x_ngk.astype(np.float16).astype(np.float64)
    worth_ng1 = np.abs(x_ngk).max(-1, keepdims=True) / 127
    return np.round(x_ngk / worth_ng1) * worth_ng1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(case=cases())
def test_attention_is_that_of_float64(case):
    weights, count = weights_of(case), case.before + sum(case.cuts)
    tokens = np.random.default_rng(4).integers(0, case.shape.vocabulary, count).tolist()
    told = expected(case, weights, tokens)
    for instructions in (PLAIN, AVX2, AVX512, AMX):
        try:
            got = given_by_the_layer(case, weights, tokens, instructions)
        except OSError:  # not on this machine
            continue
        bound = BOUNDS[case.kind] * max(1, np.abs(told).max())
        np.testing.assert_allclose(got, told, rtol=0, atol=bound, err_msg=f"form {instructions}")
