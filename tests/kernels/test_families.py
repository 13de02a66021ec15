"""What families do otherwise than a Llama, in the native step: against the decoder in JAX, and
against itself cut otherwise."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.kernels.formats import Q4_1, Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.pages import Kind, Pages
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN
from fairwitness.kernels.stack import LayerWeights, Row, Stack, Weights
from fairwitness.models import DecoderConfig, decoder
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.packed import is_native, ways_of
from fairwitness.models.rope import amplitude, frequencies

from .test_stack import ids, logits, make, pages_of, random_weights, table, tree

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

GOLDENS = Path(__file__).parents[1] / "parity" / "families"
CASES = [
    "llama-biases",
    "llama-linear",
    "qwen2-late",
    "qwen3",
    "mistral",
    "smollm3",
    "gemma2",
    "gemma3",
]


@cache
def config_of(case: str) -> DecoderConfig:
    """The config of the family's golden, of sizes that fit."""
    told = json.loads(str(np.load(GOLDENS / f"{case}.npz")["config"]))
    family, config = config_from_hugging_face(GOLDENS, told)
    assert is_native(family, config)
    config = replace(config, vocabulary=75, width=64, head_size=32, hidden=96, tied_head=True)
    return replace(config, layers=2, reaches=config.reaches[-2:])  # which have all that there is


def family_weights(config: DecoderConfig, kind: int = Q8_0) -> Weights:
    """Random weights, with all that the config asks for."""
    weights, rng = random_weights(config, kind), np.random.default_rng(7)
    local_k = frequencies(config.head_size, config.local_rope_base or 2.0)
    return replace(
        weights,
        frequencies=frequencies(config.head_size, config.rope_base, config.rope_scaling).astype(
            "f4"
        ),
        amplitude=amplitude(config.rope_scaling),
        local_frequencies=local_k.astype("f4") if config.local_rope_base else None,
        ways=ways_of(config),
        layers=[
            replace(layer, **besides(config, index, rng))
            for index, layer in enumerate(weights.layers)
        ],
    )


def besides(config: DecoderConfig, index: int, rng: np.random.Generator) -> dict[str, object]:
    told: dict[str, object] = {}
    size, heads = config.head_size, config.query_heads + 2 * config.kv_heads
    if config.attention.bias:
        told["heads_bias"] = rng.normal(0, 0.5, heads * size).astype("f4")
    if config.attention.out_bias:
        told["out_bias"] = rng.normal(0, 0.5, config.width).astype("f4")
    if config.attention.head_norms:
        told |= {
            name: rng.uniform(0.5, 1.5, size).astype("f4") for name in ("query_norm", "key_norm")
        }
    if config.post_norms:
        names = "attention_post_norm", "mlp_post_norm"
        told |= {name: rng.uniform(0.5, 1.5, config.width).astype("f4") for name in names}
    return told | {"window": config.reach(index).window, "rope": config.reach(index).rope}


def family_tree(weights: Weights) -> dict[str, object]:
    """The same as the decoder in JAX takes it."""
    parameters = tree(weights)
    if weights.local_frequencies is not None:
        parameters["rope_local_k"] = jnp.asarray(weights.local_frequencies)
    spelled = {"heads_bias": "qkv_bias"}
    for ours, theirs in zip(weights.layers, parameters["layers"], strict=True):
        for name in LayerWeights.__annotations__:
            vector = getattr(ours, name)
            if isinstance(vector, np.ndarray):
                theirs[spelled.get(name, name)] = jnp.asarray(vector)
    return parameters


@cache
def expected(config: DecoderConfig) -> np.ndarray:
    parameters, held = family_tree(family_weights(config)), decoder.new_cache(config, 128)
    _, x_td = decoder.extend(config, parameters, held, jnp.asarray(ids(90, config)), jnp.int32(0))
    return np.asarray(decoder.predict(config, parameters, x_td))


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_decoder_in_jax(case, instructions):
    config = config_of(case)
    if case == "mistral":
        config = replace(config, reaches=(config.reaches[0], replace(config.reaches[1], window=70)))
    got = logits(
        make(config, family_weights(config), 2, instructions), ids(90, config), [40, 1, 49]
    )
    assert np.abs(expected(config)).max() > 1
    np.testing.assert_allclose(got, expected(config), rtol=0, atol=4e-3)


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("window", [8, 70, 300])
def test_cuts_threads_and_company_change_no_bit(window, instructions, kind):
    """Of what has windows, caps, biases and norms at once."""
    config = config_of("gemma2")
    attention = replace(config.attention, bias=True, head_norms=True)
    reaches = tuple(replace(reach, window=reach.window and window) for reach in config.reaches)
    config = replace(config, attention=attention, reaches=reaches)
    weights, tokens = family_weights(config, Q4_1), ids(430)
    stack = make(config, weights, 2, instructions)
    whole = logits(stack, tokens, [430], pages_of(config, 15, kind))
    for threads, cuts in (
        (1, [128, 128, 164, *[1] * 10]),
        (3, [3, 17, 1, 64, 65, 107, 57, 107, 9]),
    ):
        stack = make(config, weights, threads, instructions)
        assert np.array_equal(logits(stack, tokens, cuts, pages_of(config, 15, kind)), whole)
    assert np.array_equal(beside_others(stack, tokens, kind), whole[[99, 350, 429]])


def beside_others(stack: Stack, tokens: list[int], kind: Kind) -> np.ndarray:
    """The last logits of three beginnings of the tokens, whose ends are run in one step."""
    pages, rows, wants = Pages(stack.shape, 24, kind), [], []
    free = iter(np.random.default_rng(2).permutation(24))
    for count, piece in ((100, 1), (351, 30), (430, 70)):
        places = table(*(next(free) for _ in range(0, count, 64)))
        told = [Row(token, i, places) for i, token in enumerate(tokens[:count])]
        stack.step(told[: count - piece], [], pages)
        rows += told[count - piece :]
        wants.append(len(rows) - 1)
    return stack.step(rows, wants, pages)
