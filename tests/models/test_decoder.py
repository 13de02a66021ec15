"""The JAX decoder against an independent forward pass in float64, on both file formats."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.models import decoder, open_model
from fairwitness.models.config import Reach

TOKENS = np.random.default_rng(5).integers(0, 264, 24)


def reference_logits(weights, tokens, config, first=lambda position: 0) -> np.ndarray:
    """A Llama as its paper draws it, one head and one position at a time; `first` is the first
    position that another sees."""
    wide = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def norm(x, scale):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config.norm_epsilon) * scale

    def turned(head, position):
        pairs = config.head_size // 2
        angles = position * config.rope_base ** (-np.arange(pairs) / pairs)
        waves = (head[:pairs] + 1j * head[pairs:]) * np.exp(1j * angles)
        return np.concatenate([waves.real, waves.imag])

    def attention(x, prefix):
        size, group = config.head_size, config.query_heads // config.kv_heads
        q, k, v = (x @ wide[f"{prefix}self_attn.{each}_proj.weight"].T for each in "qkv")
        mixed = np.zeros((len(x), config.query_heads * size))
        for head in range(config.query_heads):
            ours, shared = slice(head * size, (head + 1) * size), head // group * size
            keys = np.array([turned(k[p, shared : shared + size], p) for p in range(len(x))])
            for position in range(len(x)):
                near = slice(first(position), position + 1)
                seen = keys[near] @ turned(q[position, ours], position) / np.sqrt(size)
                weight = np.exp(seen - seen.max())
                weight /= weight.sum()
                mixed[position, ours] = weight @ v[near, shared : shared + size]
        return mixed @ wide[f"{prefix}self_attn.o_proj.weight"].T

    x = wide["model.embed_tokens.weight"][tokens]
    for layer in range(config.layers):
        prefix = f"model.layers.{layer}."
        x = x + attention(norm(x, wide[prefix + "input_layernorm.weight"]), prefix)
        h = norm(x, wide[prefix + "post_attention_layernorm.weight"])
        gate = h @ wide[prefix + "mlp.gate_proj.weight"].T
        up = h @ wide[prefix + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ wide[prefix + "mlp.down_proj.weight"].T
    head = wide.get("lm_head.weight", wide["model.embed_tokens.weight"])
    return norm(x, wide["model.norm.weight"]) @ head.T


def run(model, pieces, capacity=64, garbage=0.0) -> np.ndarray:
    """Logits of all positions, fed in pieces, from a cache that is full of `garbage`."""
    parameters = model.parameters(jnp.asarray)
    extend = jax.jit(partial(decoder.extend, model.config))
    cache = decoder.new_cache(model.config, capacity)
    cache = jax.tree.map(lambda array: array + garbage, cache)
    logits, start = [], 0
    for piece in pieces:
        cache, x_td = extend(parameters, cache, jnp.asarray(piece, jnp.int32), jnp.int32(start))
        logits.append(np.asarray(decoder.predict(model.config, parameters, x_td)))
        start += len(piece)
    return np.concatenate(logits)


@pytest.fixture
def model(tiny_gguf):
    return open_model(tiny_gguf)


def test_gguf_matches_float64(tiny, model):
    expected = reference_logits(tiny.weights(), TOKENS, model.config)
    np.testing.assert_allclose(run(model, [TOKENS]), expected, rtol=0, atol=1e-4)


def test_untied_folder_matches_float64(tiny, make_folder):
    head = np.random.default_rng(9).normal(0, 0.3, (264, 32)).astype(np.float32)
    weights = tiny.weights() | {"lm_head.weight": head}
    model = open_model(make_folder(weights, tie_word_embeddings=False))
    expected = reference_logits(weights, TOKENS, model.config)
    np.testing.assert_allclose(run(model, [TOKENS]), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("reach", "first"),
    [
        (Reach(window=5), lambda position: max(position - 4, 0)),
        (Reach(chunk=8), lambda position: position // 8 * 8),
        (Reach(window=5, chunk=8), lambda position: max(position - 4, position // 8 * 8)),
    ],
)
def test_sliding_and_chunked_attention_match_float64(tiny, model, reach, first):
    config = dataclasses.replace(model.config, reaches=(reach,) * model.config.layers)
    expected = reference_logits(tiny.weights(), TOKENS, config, first)
    told = run(dataclasses.replace(model, config=config), np.split(TOKENS, 4))
    np.testing.assert_allclose(told, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("pieces", [24, 4, 1])
def test_pieces_give_what_the_whole_gives(model, pieces):
    split = run(model, np.split(TOKENS, pieces))
    np.testing.assert_allclose(split, run(model, [TOKENS]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("garbage", [0.0, 1e6, -1e6])
def test_what_stands_behind_the_sequence_does_not_matter(model, garbage):
    clean = run(model, [TOKENS], capacity=24)
    np.testing.assert_allclose(
        run(model, [TOKENS], capacity=64, garbage=garbage), clean, rtol=0, atol=1e-4
    )
