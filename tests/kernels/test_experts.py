"""Mixtures of experts in the native step: against the decoder in JAX, and against itself cut
otherwise."""

from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.kernels.formats import Q4_1, Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN, pack, unpack
from fairwitness.kernels.stack import Row, Weights, interleaved
from fairwitness.models import DecoderConfig, decoder
from fairwitness.models.config import Attention, Experts, Multipliers, Reach
from fairwitness.models.packed import ways_of

from .test_families import beside_others, besides
from .test_stack import CONFIG, blocks, ids, logits, make, pages_of, random_weights, table, tree

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

CASES = {
    "mixtral": replace(CONFIG, experts=Experts(8, 2, CONFIG.hidden, renormalise=True)),
    "qwen3moe": replace(
        CONFIG,
        attention=Attention(head_norms=True),
        experts=Experts(count=21, used=5, hidden=CONFIG.hidden, renormalise=True),
    ),
    # what a config may say besides: shares of all, caps, norms, another activation, windows
    "all at once": replace(
        CONFIG,
        attention=Attention(cap=20.0, head_norms=True),
        experts=Experts(6, 3, CONFIG.hidden, renormalise=False, cap=2.0),
        activation="gelu_tanh",
        post_norms=True,
        multipliers=Multipliers(embedding=4.0, logits=1.7, logits_cap=15.0),
        reaches=(Reach(window=40), Reach()),
    ),
    "grok-1": replace(
        CONFIG,
        attention=Attention(cap=30.0),
        experts=Experts(8, 2, CONFIG.hidden, renormalise=False),
        activation="gelu_tanh",
        post_norms=True,
        multipliers=Multipliers(embedding=CONFIG.width**0.5, logits=0.577),
    ),
    "one of one": replace(CONFIG, experts=Experts(1, 1, CONFIG.hidden, renormalise=True)),
}


def mixture_weights(config: DecoderConfig, kind: int = Q8_0) -> Weights:
    """Random weights, with all that the config asks for."""
    assert config.experts is not None
    weights, rng = random_weights(config, kind), np.random.default_rng(11)
    count, hidden, layers = config.experts.count, config.experts.hidden, []
    for index, layer in enumerate(weights.layers):
        gate, up = (blocks(rng, kind, count * hidden, config.width) for _ in range(2))
        down = blocks(rng, kind, count * config.width, hidden)
        router = rng.normal(0, 2 / np.sqrt(config.width), (count, config.width)).astype("f4")
        experts = {
            "gate_up": pack(kind, interleaved(gate, up)),
            "down": pack(kind, down),
            "router": router * layer.mlp_norm,
        }
        layers.append(replace(layer, **experts, **besides(config, index, rng)))
    return replace(weights, layers=layers, ways=ways_of(config))


def mixture_tree(config: DecoderConfig, weights: Weights) -> dict[str, object]:
    """The same as the decoder in JAX takes it."""
    assert config.experts is not None
    parameters, count = tree(weights), config.experts.count
    for ours, theirs in zip(weights.layers, parameters["layers"], strict=True):
        both = unpack(ours.gate_up).reshape(count, -1, 2, 16, config.width)
        gate, up = (both[:, :, i].reshape(count, -1, config.width) for i in (0, 1))
        down = unpack(ours.down).reshape(count, config.width, -1)
        theirs["experts_gate_up"] = jnp.asarray(np.concatenate([gate, up], axis=1))
        theirs["experts_down"] = jnp.asarray(down)
        theirs["router"] = jnp.asarray(ours.router / ours.mlp_norm)
        for name in ("query_norm", "key_norm", "attention_post_norm", "mlp_post_norm"):
            if getattr(ours, name) is not None:
                theirs[name] = jnp.asarray(getattr(ours, name))
    return parameters


@cache
def expected(case: str) -> np.ndarray:
    config = CASES[case]
    parameters, held = mixture_tree(config, mixture_weights(config)), decoder.new_cache(config, 128)
    _, x_td = decoder.extend(config, parameters, held, jnp.asarray(ids(90)), jnp.int32(0))
    return np.asarray(decoder.predict(config, parameters, x_td))


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_decoder_in_jax(case, instructions):
    config = CASES[case]
    stack = make(config, mixture_weights(config), 2, instructions)
    got = logits(stack, ids(90), [40, 1, 2, 47])
    assert np.abs(expected(case)).max() > 1
    np.testing.assert_allclose(got, expected(case), rtol=0, atol=4e-3)


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("case", ["mixtral", "qwen3moe", "grok-1", "all at once"])
def test_cuts_threads_and_company_change_no_bit(case, instructions, kind):
    config = CASES[case]
    weights, tokens = mixture_weights(config, Q4_1), ids(430)
    stack = make(config, weights, 2, instructions)
    whole = logits(stack, tokens, [430], pages_of(config, 15, kind))
    for threads, cuts in (
        (1, [128, 128, 164, *[1] * 10]),
        (3, [3, 17, 1, 64, 2, 63, 107, 57, 107, 9]),
    ):
        stack = make(config, weights, threads, instructions)
        assert np.array_equal(logits(stack, tokens, cuts, pages_of(config, 15, kind)), whole)
    assert np.array_equal(beside_others(stack, tokens, kind), whole[[99, 350, 429]])


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
def test_all_rows_of_a_long_prompt_may_want_one_expert(instructions):
    """A crowd that is larger than what goes through a panel at once."""
    config = CASES["mixtral"]
    weights = mixture_weights(config, Q4_1)
    stack = make(config, weights, 2, instructions)
    tokens = [7] * 300  # whose rows differ by their place alone
    whole = logits(stack, tokens, [300], pages_of(config, 9))
    assert np.array_equal(logits(stack, tokens, [1] * 300, pages_of(config, 9)), whole)


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
def test_what_is_not_finite_is_not_hidden_and_stays_with_its_row(instructions):
    config = CASES["qwen3moe"]
    weights = mixture_weights(config)
    stack = make(config, weights, 2, instructions)
    tokens = ids(4)
    rows = [Row(token, 0, table(i)) for i, token in enumerate(tokens)]
    whole = stack.step(rows, range(4), pages_of(config))
    weights.embedding.data[:] = broken(weights, tokens[2])
    got = stack.step(rows, range(4), pages_of(config))
    others = [i for i in range(4) if tokens[i] != tokens[2]]
    head = np.delete(np.arange(config.vocabulary), tokens[2])  # which is tied
    assert np.isnan(got[2]).all()
    assert np.array_equal(got[np.ix_(others, head)], whole[np.ix_(others, head)])


def broken(weights: Weights, token: int) -> np.ndarray:
    """The embedding with a scale of one token's row that is no number."""
    data, tiles = weights.embedding.data.copy(), weights.embedding.columns // 32
    panel = data.reshape(-1, len(data) // (-(-weights.embedding.rows // 16)))[token // 16]
    first = tiles * 16 * 32 + 2 * (token % 16)  # behind the numbers of Q8_0: a half for each row
    panel[first : first + 2] = np.array([np.nan], np.float16).view(np.uint8)
    return data
