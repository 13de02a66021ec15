"""Long prompts in chunks, their positions stretched by YaRN, against float64.

With one layer, what a token sees follows from the embeddings alone, so that float64 can judge any
position of 131,072 at once.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.models import decoder
from fairwitness.models.grok import GROK_1
from fairwitness.models.rope import amplitude, frequencies
from fairwitness.models.shapes import parameter_shapes
from stretched import YARN, stretched

CHUNK = 256
CONFIG = stretched(16, 16)


def parameters() -> decoder.Parameters:
    rng = np.random.default_rng(8)

    def fill(path, shape):
        if path[-1].key == "rope_k":
            return frequencies(16, CONFIG.rope_base, YARN).astype(np.float32)
        return rng.normal(0, 0.5, shape).astype(np.float32)

    shapes = parameter_shapes(CONFIG)
    return jax.tree_util.tree_map_with_path(fill, shapes, is_leaf=lambda x: isinstance(x, tuple))


def attended(tree: decoder.Parameters, tokens: np.ndarray, position: int) -> np.ndarray:
    """The stream after attention at one position, float64. Angles are rounded to float32, as every
    implementation does, or far positions would differ by what no model was trained to see."""
    layer = {name: each.astype(np.float64) for name, each in tree["layers"][0].items()}
    x = tree["embedding"][tokens[: position + 1]].astype(np.float64)
    normed = x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5) * layer["attention_norm"]
    q, k, v = np.split(normed @ layer["qkv"].T, 3, axis=1)
    angles = np.arange(position + 1, dtype=np.float32)[:, None] * tree["rope_k"]
    turns = np.exp(1j * angles.astype(np.float64)) * amplitude(YARN)
    q, k = ((each[:, :8] + 1j * each[:, 8:]) * turns for each in (q, k))
    scores = (k * q[-1].conj()).sum(1).real / 4
    weight = np.exp(scores - scores.max())
    return x[-1] + layer["out"] @ (weight @ v / weight.sum())


def after_mlp(tree: decoder.Parameters, x: np.ndarray) -> np.ndarray:
    layer = {name: each.astype(np.float64) for name, each in tree["layers"][0].items()}
    normed = x / np.sqrt((x * x).mean() + 1e-5) * layer["mlp_norm"]
    gate, up = np.split(layer["gate_up"] @ normed, 2)
    return x + layer["down"] @ (gate / (1 + np.exp(-gate)) * up)


MINUTES = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("length", [8_192, pytest.param(131_072, marks=MINUTES)])
@pytest.mark.parametrize(("dtype", "bound"), [(jnp.float32, 1e-4), (jnp.int8, 5e-2)])
def test_a_long_prompt_in_chunks(length, dtype, bound):
    tree, tokens = parameters(), np.random.default_rng(9).integers(0, 64, length, np.int32)
    extend = jax.jit(partial(decoder.extend, CONFIG), donate_argnums=1)
    cache, told = decoder.new_cache(CONFIG, length, dtype), {}
    for start in range(0, length, CHUNK):
        piece = jnp.asarray(tokens[start : start + CHUNK])
        cache, x_td = extend(tree, cache, piece, jnp.int32(start))
        told[start + CHUNK - 1] = np.asarray(x_td[-1])
    for position in (CHUNK - 1, length // 2 - 1, length - 1):
        expected = after_mlp(tree, attended(tree, tokens, position))
        np.testing.assert_allclose(told[position], expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int8])
def test_memory_per_token_is_what_the_config_says(dtype):
    cache = decoder.new_cache(CONFIG, 64, dtype)
    held = sum(each.nbytes for each in jax.tree.leaves(cache))
    scales = 2 * CONFIG.layers * CONFIG.kv_heads * 4 if dtype == jnp.int8 else 0
    assert held == 64 * (CONFIG.cached_numbers * jnp.dtype(dtype).itemsize + scales)


def test_memory_of_grok_at_128k():
    """131,072 numbers a token: 34.4 GB of bfloat16 at 128 K, half of it as int8."""
    assert GROK_1.cached_numbers == 131_072
    assert GROK_1.cached_numbers * 2 * 131_072 == 34_359_738_368
