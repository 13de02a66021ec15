"""One decoder-only transformer, as pure functions over a parameter tree and an explicit KV cache.

Everything is one function: `extend` runs T more tokens of one sequence. Prefill is a large T, a
decode step is T = 1, and both write their keys and values into the cache at `start` before they
look at it. Positions past the sequence are masked, so what stands there (padding, an older
sequence) does not matter. `extend_many` runs several sequences at once.

What a family does otherwise than a Llama is asked of the config while JAX traces, so that a Llama
costs nothing for it.

Shape letters: b sequence, t new token, n row (b and t in one), s cached position, d width, h query
head, g kv head, r query heads per kv head, k inside a head, f hidden, e expert, v vocabulary.
Arithmetic has the type of the matrices; norms, RoPE, softmax and router are float32 always.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from fairwitness.models.adapted import adapted
from fairwitness.models.config import Attention, DecoderConfig, Reach
from fairwitness.models.mixture import gated, mix, project
from fairwitness.models.rope import Dynamic, RopeScaling, amplitude

Parameters = dict[str, Any]


class Bytes(NamedTuple):
    """Numbers of a head at a position as whole ones from -127 to 127, and what one is worth."""

    whole_gsk: Array  # int8
    worth_gs1: Array  # float32


Kept = Array | Bytes
Cache = list[tuple[Kept, Kept]]
"""Per layer: keys and values, each [g, s, k]. One array a layer, so that donation reuses each."""
Waves = dict[str, tuple[Array, Array]]
"""For each kind of RoPE that some layer has: cosines and sines, each [n, k / 2]."""


def new_cache(config: DecoderConfig, capacity: int, dtype: Any = jnp.float32) -> Cache:
    """An empty cache for `capacity` positions; int8 has a scale for each head and position."""
    shape = (config.kv_heads, capacity, config.head_size)

    def empty() -> Kept:
        if dtype != jnp.int8:
            return jnp.zeros(shape, dtype)
        return Bytes(jnp.zeros(shape, dtype), jnp.zeros((*shape[:2], 1), jnp.float32))

    return [(empty(), empty()) for _ in range(config.layers)]


def cast(parameters: Parameters, dtype: Any) -> Parameters:
    """The same tree with matrices in a narrower type; what is float32 always stays so."""

    def narrow(path: tuple[Any, ...], array: Array) -> Array:
        is_matrix = array.ndim > 1 and path[-1].key != "router"
        return array.astype(dtype) if is_matrix else array

    narrowed: Parameters = jax.tree_util.tree_map_with_path(narrow, parameters)
    return narrowed


def extend(
    config: DecoderConfig,
    parameters: Parameters,
    cache: Cache,
    tokens_t: Array,
    start: Array,
    adapter: Array | None = None,
) -> tuple[Cache, Array]:
    """Run tokens at positions start, start + 1, ...; return the cache and the hidden states x_td.

    The caller keeps start + T within the cache's capacity (an update past it would be shifted).
    `adapter` is the number of the sequence's adapter (`adapted.with_adapters`).
    """
    position_t = start + jnp.arange(tokens_t.shape[0])
    adapter_t = None if adapter is None else jnp.full(tokens_t.shape, adapter)
    return _run(config, parameters, cache, tokens_t, position_t, adapter_t)


def extend_many(
    config: DecoderConfig,
    parameters: Parameters,
    cache: Cache,
    tokens_bt: Array,
    start_b: Array,
    adapter_b: Array | None = None,
) -> tuple[Cache, Array]:
    """As `extend` for several sequences: cached arrays are [b, g, s, k], hidden states x_btd."""
    tokens = tokens_bt.shape[1]
    position_n = (start_b[:, None] + jnp.arange(tokens)).ravel()
    adapter_n = None if adapter_b is None else jnp.repeat(adapter_b, tokens)
    filled, x_nd = _run(config, parameters, cache, tokens_bt.ravel(), position_n, adapter_n)
    return filled, x_nd.reshape(*tokens_bt.shape, -1)


def _run(
    config: DecoderConfig,
    parameters: Parameters,
    cache: Cache,
    tokens_n: Array,
    position_n: Array,
    adapter_n: Array | None,
) -> tuple[Cache, Array]:
    waves = _waves(config, parameters, position_n)
    x_nd = parameters["embedding"][tokens_n]
    if config.multipliers.embedding != 1.0:
        x_nd = x_nd * jnp.asarray(config.multipliers.embedding, x_nd.dtype)
    filled: Cache = []
    for index, (layer, held) in enumerate(zip(parameters["layers"], cache, strict=True)):
        reach, rows = config.reach(index), (position_n, adapter_n)
        held, x_nd = _layer(config, reach, layer, held, x_nd, rows, waves)
        filled.append(held)
    return filled, x_nd


@partial(jax.jit, static_argnums=(0, 1))  # traced once a kind of layer, not once a layer
def _layer(
    config: DecoderConfig,
    reach: Reach,
    layer: Parameters,
    held: tuple[Kept, Kept],
    x_nd: Array,
    rows: tuple[Array, Array | None],
    waves: Waves,
) -> tuple[tuple[Kept, Kept], Array]:
    position_n, adapter_n = rows
    normed_nd = rms_norm(x_nd, layer["attention_norm"], config.norm_epsilon)
    q_nhk, k_ngk, v_ngk = _heads(config, layer, normed_nd, adapter_n)
    if reach.rope != "none":
        q_nhk, k_ngk = _rotate(q_nhk, waves[reach.rope]), _rotate(k_ngk, waves[reach.rope])
    look = partial(_look, config, reach, layer.get("sinks"))
    kept = jax.tree.leaves(held)[0]
    if kept.ndim == 4:
        look = _each_sequence(look, kept.shape[0])
    held, mixed_nd = look(held, q_nhk, k_ngk, v_ngk, position_n)
    given_nd = adapted(layer, "out", mixed_nd, adapter_n)
    if config.attention.out_bias:
        given_nd = given_nd + layer["out_bias"]
    if config.post_norms:
        given_nd = rms_norm(given_nd, layer["attention_post_norm"], config.norm_epsilon)
    x_nd = x_nd + given_nd
    normed_nd = rms_norm(x_nd, layer["mlp_norm"], config.norm_epsilon)
    given_nd = _think(config, layer, normed_nd, adapter_n)
    if config.post_norms:
        given_nd = rms_norm(given_nd, layer["mlp_post_norm"], config.norm_epsilon)
    return held, x_nd + given_nd


def last_norm(config: DecoderConfig, parameters: Parameters, x_td: Array) -> Array:
    """Hidden states as the head sees them."""
    return rms_norm(x_td, parameters["norm"], config.norm_epsilon)


def predict(config: DecoderConfig, parameters: Parameters, x_td: Array) -> Array:
    """Hidden states to next-token logits, logits_tv, in float32."""
    head_vd = parameters["embedding"] if config.tied_head else parameters["head"]
    logits_tv = project(last_norm(config, parameters, x_td), head_vd)
    if config.multipliers.logits != 1.0:
        logits_tv = logits_tv * jnp.asarray(config.multipliers.logits, logits_tv.dtype)
    return _capped(logits_tv.astype(jnp.float32), config.multipliers.logits_cap)


def rms_norm(x_td: Array, scale_d: Array, epsilon: float) -> Array:
    """Scale each row to unit root mean square, then by `scale_d`."""
    wide_td = x_td.astype(jnp.float32)
    mean_square_t1 = jnp.mean(jnp.square(wide_td), axis=-1, keepdims=True)
    return (wide_td * lax.rsqrt(mean_square_t1 + epsilon) * scale_d).astype(x_td.dtype)


def _heads(
    config: DecoderConfig, layer: Parameters, normed_nd: Array, adapter_n: Array | None
) -> tuple[Array, Array, Array]:
    qkv_nd = adapted(layer, "qkv", normed_nd, adapter_n)
    if config.attention.bias:
        qkv_nd = qkv_nd + layer["qkv_bias"]
    heads_nhk = qkv_nd.reshape(qkv_nd.shape[0], -1, config.head_size)
    queries, keys = config.query_heads, config.query_heads + config.kv_heads
    q_nhk, k_ngk, v_ngk = heads_nhk[:, :queries], heads_nhk[:, queries:keys], heads_nhk[:, keys:]
    if config.attention.head_norms:
        q_nhk = rms_norm(q_nhk, layer["query_norm"], config.norm_epsilon)
        k_ngk = rms_norm(k_ngk, layer["key_norm"], config.norm_epsilon)
    return q_nhk, k_ngk, v_ngk


def _think(
    config: DecoderConfig, layer: Parameters, normed_nd: Array, adapter_n: Array | None
) -> Array:
    """The MLP, the experts, or both."""
    if not config.has_mlp:
        return mix(config, layer, normed_nd)
    gate_up_nf = adapted(layer, "gate_up", normed_nd, adapter_n)
    hidden_nf = gated(config.activation, *jnp.split(gate_up_nf, 2, axis=-1))
    given_nd = adapted(layer, "down", hidden_nf, adapter_n)
    if config.experts is None:
        return given_nd
    return (given_nd + mix(config, layer, normed_nd)) * 2**-0.5


def _waves(config: DecoderConfig, parameters: Parameters, position_n: Array) -> Waves:
    waves = {"main": _wave(parameters["rope_k"], position_n, config.rope_scaling)}
    if config.local_rope_base is not None:
        waves["local"] = _wave(parameters["rope_local_k"], position_n, None)
    return waves


def _wave(
    frequency_k: Array, position_n: Array, scaling: RopeScaling | None
) -> tuple[Array, Array]:
    frequency_nk = frequency_k
    if isinstance(scaling, Dynamic):
        frequency_nk = frequency_k * _slowed(scaling, frequency_k.shape[0], position_n)
    angle_nk = position_n[:, None].astype(jnp.float32) * frequency_nk
    cos_nk, sin_nk = jnp.cos(angle_nk), jnp.sin(angle_nk)
    if amplitude(scaling) != 1.0:
        cos_nk, sin_nk = cos_nk * amplitude(scaling), sin_nk * amplitude(scaling)
    return cos_nk, sin_nk


def _slowed(scaling: Dynamic, pairs: int, position_n: Array) -> Array:
    """NTK: a base b times larger turns pair i by b ** (-i / pairs) of what it did."""
    past_n = jnp.maximum(position_n + 1 - scaling.original_context, 0).astype(jnp.float32)
    growth_n1 = (1 + scaling.factor * past_n / scaling.original_context)[:, None]
    # the base grows by growth ** (head_size / (head_size - 2))
    return growth_n1 ** (-jnp.arange(pairs) / (pairs - 1))


def _rotate(x_nhk: Array, wave: tuple[Array, Array]) -> Array:
    """Turn pair (i, i + head_size / 2) of every head by its position's angle."""
    cos_nk, sin_nk = (part_nk[:, None, :] for part_nk in wave)
    first, second = jnp.split(x_nhk, 2, axis=-1)
    return jnp.concatenate(
        [first * cos_nk - second * sin_nk, second * cos_nk + first * sin_nk], axis=-1
    ).astype(x_nhk.dtype)


def _each_sequence(look: Any, sequences: int) -> Any:
    """`look` over rows of several sequences, each with a cache of its own."""

    def look_many(held: tuple[Kept, Kept], *rows: Array) -> tuple[tuple[Kept, Kept], Array]:
        apart = [array.reshape(sequences, -1, *array.shape[1:]) for array in rows]
        held, mixed_btd = jax.vmap(look)(held, *apart)
        return held, mixed_btd.reshape(-1, mixed_btd.shape[-1])

    return look_many


def _look(
    config: DecoderConfig,
    reach: Reach,
    sinks_h: Array | None,
    held: tuple[Kept, Kept],
    q_thk: Array,
    k_tgk: Array,
    v_tgk: Array,
    position_t: Array,
) -> tuple[tuple[Kept, Kept], Array]:
    """Write keys and values of one sequence, then let its new tokens look at what they may."""
    held = _write(held[0], k_tgk, position_t[0]), _write(held[1], v_tgk, position_t[0])
    k_gsk, v_gsk = (_widened(each, q_thk.dtype) for each in held)
    visible_ts = _visible(reach, position_t, k_gsk.shape[1])
    mixed_td = _attend(config.attention, q_thk, k_gsk, v_gsk, position_t, visible_ts, sinks_h)
    return held, mixed_td


def _write(kept: Kept, new_tgk: Array, start: Array) -> Kept:
    new_gtk = new_tgk.swapaxes(0, 1)
    if not isinstance(kept, Bytes):
        return lax.dynamic_update_slice(kept, new_gtk.astype(kept.dtype), (0, start, 0))
    worth_gt1 = jnp.abs(new_gtk).max(axis=-1, keepdims=True).astype(jnp.float32) / 127
    whole_gtk = jnp.round(new_gtk / jnp.where(worth_gt1 == 0, 1, worth_gt1)).astype(jnp.int8)
    told = (kept.whole_gsk, whole_gtk), (kept.worth_gs1, worth_gt1)
    return Bytes(*(lax.dynamic_update_slice(old, new, (0, start, 0)) for old, new in told))


def _widened(kept: Kept, dtype: Any) -> Array:
    if isinstance(kept, Bytes):
        return (kept.whole_gsk * kept.worth_gs1).astype(dtype)
    return kept.astype(dtype)


def _visible(reach: Reach, position_t: Array, capacity: int) -> Array:
    """Each query sees the positions up to its own, or fewer."""
    position_s, own_t1 = jnp.arange(capacity), position_t[:, None]
    visible_ts = position_s <= own_t1
    if reach.window is not None:
        visible_ts &= position_s > own_t1 - reach.window
    if reach.chunk is not None:
        visible_ts &= position_s // reach.chunk == own_t1 // reach.chunk
    return visible_ts


def _attend(
    attention: Attention,
    q_thk: Array,
    k_gsk: Array,
    v_gsk: Array,
    position_t: Array,
    visible_ts: Array,
    sinks_h: Array | None,
) -> Array:
    """`r` query heads share one kv head."""
    tokens, heads, head_size = q_thk.shape
    kv_heads = k_gsk.shape[0]
    scale = head_size**-0.5 if attention.scale is None else attention.scale
    q_gtrk = q_thk.reshape(tokens, kv_heads, heads // kv_heads, head_size).swapaxes(0, 1)
    score_gtrs = jnp.einsum("gtrk,gsk->gtrs", q_gtrk, k_gsk)
    score_gtrs = _capped(score_gtrs.astype(jnp.float32) * scale, attention.cap)
    if attention.temperature_from is not None:
        score_gtrs = score_gtrs * _warmth(attention.temperature_from, position_t)[:, None, None]
    score_gtrs = jnp.where(visible_ts[:, None, :], score_gtrs, -jnp.inf)
    weight_gtrs = _softmax(score_gtrs, sinks_h).astype(q_thk.dtype)
    mixed_gtrk = jnp.einsum("gtrs,gsk->gtrk", weight_gtrs, v_gsk)
    return mixed_gtrk.swapaxes(0, 1).reshape(tokens, heads * head_size)


def _softmax(score_gtrs: Array, sinks_h: Array | None) -> Array:
    if sinks_h is None:
        return jax.nn.softmax(score_gtrs, axis=-1)
    groups, tokens, shared, _ = score_gtrs.shape
    sink_gtr1 = jnp.broadcast_to(sinks_h.reshape(groups, 1, shared, 1), (groups, tokens, shared, 1))
    return jax.nn.softmax(jnp.concatenate([score_gtrs, sink_gtr1], axis=-1), axis=-1)[..., :-1]


def _warmth(first: int, position_t: Array) -> Array:
    far_t = jnp.maximum(position_t, first).astype(jnp.float32)
    return jnp.log2(far_t) / jnp.log2(jnp.float32(first))


def _capped(score: Array, cap: float | None) -> Array:
    return score if cap is None else cap * jnp.tanh(score / cap)
