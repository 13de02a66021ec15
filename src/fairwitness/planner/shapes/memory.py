"""Bytes of weights and of the KV cache.

Formats are bytes an element, so that a 4-bit format with scales is 0.5625 and not a name to guess.
"""

from __future__ import annotations

from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes.counts import weights
from fairwitness.planner.shapes.shape import ModelShape
from fairwitness.planner.shapes.work import seen_keys

BYTES_OF = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}
"""Bytes an element. Formats with scales take more: GGUF's Q4_1 0.625, Q8_0 1.0625."""


def weight_bytes(shape: ModelShape, bytes_each: float) -> float:
    """All weights, chosen or not: a mixture has to be held whole."""
    return weights(shape).total * bytes_each


def kv_elements(shape: ModelShape) -> int:
    """Cached elements of one token in one layer."""
    if shape.latent is not None:
        return shape.latent.rank + shape.latent.rotated
    return 2 * shape.kv_heads * shape.head_size


def kv_token_bytes(shape: ModelShape, bytes_each: float) -> float:
    """One token in every layer, while it is inside every window."""
    return shape.layers * kv_elements(shape) * bytes_each


def kv_sequence_bytes(shape: ModelShape, tokens: Number, bytes_each: float) -> Number:
    """A whole sequence; layers with a window forget what is outside it."""
    return seen_keys(shape, tokens) * kv_elements(shape) * bytes_each
