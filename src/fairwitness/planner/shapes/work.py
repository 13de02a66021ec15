"""The arithmetic of one token: matrices and attention, forwards and backwards.

A multiplication and an addition are two operations. Attention is causal: a token at position p
looks at p + 1 keys, so a full sequence of s looks at about s / 2 on average.
"""

from __future__ import annotations

import numpy as np

from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes.counts import multiplied_weights
from fairwitness.planner.shapes.shape import ModelShape

BACKWARD = 3  # forwards and backwards together cost three times the forward pass


def seen_keys(shape: ModelShape, keys: Number) -> Number:
    """Keys that one query looks at, summed over layers, with `keys` before it."""
    if shape.window is None:
        return shape.layers * keys
    inside: Number = np.minimum(keys, shape.window.size)
    return shape.global_layers * keys + (shape.layers - shape.global_layers) * inside


def mean_seen_keys(shape: ModelShape, sequence_tokens: Number) -> Number:
    """The same, averaged over the positions of a causal sequence."""
    whole = sequence_tokens / 2
    if shape.window is None:
        return shape.layers * whole
    size: Number = np.minimum(shape.window.size, sequence_tokens)
    inside = size - size * size / (2 * np.maximum(sequence_tokens, 1e-9))
    return shape.global_layers * whole + (shape.layers - shape.global_layers) * inside


def score_flops(shape: ModelShape, keys: Number) -> Number:
    """Attention's own operations for one token that sees `keys` (summed over layers) keys."""
    return 2 * shape.query_heads * (shape.score_size + shape.value_size) * keys


def latent_score_flops(shape: ModelShape, keys: Number) -> Number:
    """The same for decoding with latent attention: queries meet the cached vectors themselves,
    because rebuilding the keys of a whole context for one token would cost far more.
    """
    if shape.latent is None:
        return score_flops(shape, keys)
    return 2 * shape.query_heads * (2 * shape.latent.rank + shape.latent.rotated) * keys


def forward_flops(shape: ModelShape, sequence_tokens: float) -> Number:
    """A token of a causal sequence, averaged over its positions."""
    matrices = 2 * multiplied_weights(shape)
    return matrices + score_flops(shape, mean_seen_keys(shape, sequence_tokens))


def training_flops(shape: ModelShape, sequence_tokens: float) -> Number:
    """A token's share of a training step: 6 N plus 6 L s d for full attention."""
    return BACKWARD * forward_flops(shape, sequence_tokens)


def decode_flops(shape: ModelShape, context_tokens: Number) -> Number:
    """One new token after `context_tokens` others."""
    scores = latent_score_flops(shape, seen_keys(shape, context_tokens))
    return 2 * multiplied_weights(shape) + scores


def prefill_flops(shape: ModelShape, prompt_tokens: Number, cached_tokens: Number = 0.0) -> Number:
    """A whole prompt whose first `cached_tokens` need not run; the head runs once."""
    fresh = prompt_tokens - cached_tokens
    head = shape.vocabulary * shape.width
    matrices = 2 * (multiplied_weights(shape) - head) * fresh + 2 * head
    seen = prompt_tokens * mean_seen_keys(shape, prompt_tokens)
    seen = seen - cached_tokens * mean_seen_keys(shape, cached_tokens)
    return matrices + score_flops(shape, seen)


def simple_training_flops(active_parameters: Number, tokens: Number) -> Number:
    """C = 6 N D (arXiv 2001.08361), the convention of published totals."""
    return 6 * active_parameters * tokens
