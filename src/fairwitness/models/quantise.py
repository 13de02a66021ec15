"""Float32 weights in, packed GGML blocks out: the way back from `dequantise`, for writing files.

The formats whose best levels follow from the block's largest value alone; K-quants need a search
for each block and are read, not written.

Rounding: `quantize_row_…_ref` in ggml/src/ggml-quants.c of github.com/ggml-org/llama.cpp. Bit for
bit the same, so that a file written here is the file that llama.cpp would have written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, SLAB_WEIGHTS, BlockFormat, Bytes, Floats

WRITABLE: dict[str, BlockFormat] = {
    FORMATS[kind].name: FORMATS[kind] for kind in (0, 1, 2, 3, 6, 7, 8, 30)
}
"""The formats that `quantise` knows, by name."""


def quantise(block_format: BlockFormat, weights: Floats) -> Bytes:
    """Pack weights, a whole number of blocks, into flat bytes.

    A value that the format cannot hold becomes infinite; `is_finite` tells.
    """
    weights_nw = weights.reshape(-1, block_format.weights)
    packed_nb = np.empty((len(weights_nw), block_format.size_bytes), np.uint8)
    blocks = SLAB_WEIGHTS // block_format.weights
    with np.errstate(over="ignore", invalid="ignore"):
        for at in range(0, len(weights_nw), blocks):
            slab = _ENCODERS[block_format.name](weights_nw[at : at + blocks])
            packed_nb[at : at + blocks] = slab.reshape(-1, block_format.size_bytes)
    return packed_nb.reshape(-1)


def _f32(weights_nw: Floats) -> Bytes:
    return np.ascontiguousarray(weights_nw, np.float32).view(np.uint8)


def _f16(weights_nw: Floats) -> Bytes:
    return weights_nw.astype(np.float16).view(np.uint8)


def _bf16(weights_nw: Floats) -> Bytes:
    """The upper halves, rounded to the nearest and ties to even."""
    bits = np.ascontiguousarray(weights_nw, np.float32).view(np.uint32)
    odd = bits >> np.uint32(16) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)
    # a NaN must not be carried over into infinity or zero
    quiet = bits >> np.uint32(16) | np.uint32(0x40)
    return np.where(np.isnan(weights_nw), quiet, rounded).astype(np.uint16).view(np.uint8)


def _q8_0(weights_nw: Floats) -> Bytes:
    step_n1 = np.abs(weights_nw).max(axis=1, keepdims=True) / np.float32(127)
    scaled = weights_nw * _inverse(step_n1)
    size, sign = np.abs(scaled), np.sign(scaled)
    whole = np.floor(size)
    levels = sign * (whole + (size - whole >= 0.5))  # half a step goes away from zero
    return _packed([step_n1], levels.astype(np.int8).view(np.uint8))


def _q4_0(weights_nw: Floats) -> Bytes:
    step_n1 = _signed_largest(weights_nw) / np.float32(-8)
    levels = _levels(weights_nw * _inverse(step_n1) + np.float32(8.5), 15)
    return _packed([step_n1], _nibble_pairs(levels))


def _q4_1(weights_nw: Floats) -> Bytes:
    step_n1, least_n1 = _span(weights_nw, 15)
    levels = _levels((weights_nw - least_n1) * _inverse(step_n1) + np.float32(0.5), 15)
    return _packed([step_n1, least_n1], _nibble_pairs(levels))


def _q5_0(weights_nw: Floats) -> Bytes:
    step_n1 = _signed_largest(weights_nw) / np.float32(-16)
    levels = _levels(weights_nw * _inverse(step_n1) + np.float32(16.5), 31)
    return _packed([step_n1], _fifth_bits(levels), _nibble_pairs(levels))


def _q5_1(weights_nw: Floats) -> Bytes:
    step_n1, least_n1 = _span(weights_nw, 31)
    levels = _levels((weights_nw - least_n1) * _inverse(step_n1) + np.float32(0.5), 31)
    return _packed([step_n1, least_n1], _fifth_bits(levels), _nibble_pairs(levels))


def _signed_largest(weights_nw: Floats) -> Floats:
    """The value of largest size in each block, with its sign."""
    place_n1 = np.abs(weights_nw).argmax(axis=1)[:, None]
    return np.take_along_axis(weights_nw, place_n1, axis=1)


def _span(weights_nw: Floats, steps: int) -> tuple[Floats, Floats]:
    """The step and the least value that lay `steps` steps over each block."""
    least_n1 = weights_nw.min(axis=1, keepdims=True)
    step_n1 = (weights_nw.max(axis=1, keepdims=True) - least_n1) / np.float32(steps)
    return step_n1, least_n1


def _inverse(step_n1: Floats) -> Floats:
    """One over each step, and 0 for the step of a block that is all the same."""
    with np.errstate(divide="ignore"):
        return np.where(step_n1 == 0, np.float32(0), np.float32(1) / step_n1)


def _levels(shifted_nw: Floats, most: int) -> Bytes:
    return np.trunc(shifted_nw).clip(0, most).astype(np.uint8)


def _nibble_pairs(levels_nw: Bytes) -> Bytes:
    return (levels_nw[:, :16] & np.uint8(15)) | (levels_nw[:, 16:] << np.uint8(4))


def _fifth_bits(levels_nw: Bytes) -> Bytes:
    return np.packbits(levels_nw >> 4, axis=1, bitorder="little")


def _packed(scales: list[Floats], *bytes_nb: Bytes) -> Bytes:
    halves = [scale_n1.astype(np.float16).view(np.uint8) for scale_n1 in scales]
    return np.concatenate([*halves, *bytes_nb], axis=1)


_ENCODERS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.uint8]]] = {
    "F32": _f32,
    "F16": _f16,
    "BF16": _bf16,
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
}
