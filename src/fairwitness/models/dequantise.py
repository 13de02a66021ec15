"""GGML block formats: packed bytes in, float32 weights out.

A quantised tensor is a row of equal blocks. A block holds a few scales and then small integers;
each decoder below gets all blocks of a tensor as one `bytes_nb` matrix (block, byte) and works on
whole columns of it, so nothing loops over weights.

Layouts: ggml/src/ggml-common.h (the structs) and ggml/src/ggml-quants.c (the meaning) in
github.com/ggml-org/llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BlockFormat:
    """One GGML tensor type: `weights` values are packed into `size_bytes` bytes."""

    name: str
    weights: int
    size_bytes: int
    decode: Callable[[Bytes], Floats]


def dequantise(block_format: BlockFormat, data: Bytes) -> Floats:
    """Unpack whole blocks into a flat float32 array.

    A damaged scale may be infinite or NaN; it then spreads to its block without a warning, and the
    engine refuses the logits that follow from it.
    """
    bytes_nb = data.reshape(-1, block_format.size_bytes)
    with np.errstate(invalid="ignore", over="ignore"):
        return block_format.decode(bytes_nb).reshape(-1)


def _half(bytes_nb: Bytes, start: int) -> Floats:
    """The float16 at byte `start` of every block, as a column."""
    return np.ascontiguousarray(bytes_nb[:, start : start + 2]).view(np.float16).astype(np.float32)


def _nibbles(packed_nb: Bytes) -> Bytes:
    """All low nibbles, then all high ones: weights j and j + 16 share a byte."""
    return np.concatenate([packed_nb & 0x0F, packed_nb >> 4], axis=1)


def _fifth_bits(bytes_nb: Bytes, start: int) -> Bytes:
    """The 32 high bits of a five-bit block: bit j belongs to weight j."""
    return np.unpackbits(bytes_nb[:, start : start + 4], axis=1, bitorder="little")


def _f32(bytes_nb: Bytes) -> Floats:
    return bytes_nb.view(np.float32).copy()


def _f16(bytes_nb: Bytes) -> Floats:
    return bytes_nb.view(np.float16).astype(np.float32)


def _bf16(bytes_nb: Bytes) -> Floats:
    # bfloat16 is the upper half of a float32
    upper = bytes_nb.view(np.uint16).astype(np.uint32)
    return np.left_shift(upper, np.uint32(16)).view(np.float32)


def _q4_0(bytes_nb: Bytes) -> Floats:
    weights = _nibbles(bytes_nb[:, 2:]).astype(np.float32)
    weights -= 8
    weights *= _half(bytes_nb, 0)
    return weights


def _q4_1(bytes_nb: Bytes) -> Floats:
    weights = _nibbles(bytes_nb[:, 4:]).astype(np.float32)
    weights *= _half(bytes_nb, 0)
    weights += _half(bytes_nb, 2)
    return weights


def _q5_0(bytes_nb: Bytes) -> Floats:
    five_bits = _nibbles(bytes_nb[:, 6:]) | (_fifth_bits(bytes_nb, 2) << 4)
    weights = five_bits.astype(np.float32)
    weights -= 16
    weights *= _half(bytes_nb, 0)
    return weights


def _q5_1(bytes_nb: Bytes) -> Floats:
    five_bits = _nibbles(bytes_nb[:, 8:]) | (_fifth_bits(bytes_nb, 4) << 4)
    weights = five_bits.astype(np.float32)
    weights *= _half(bytes_nb, 0)
    weights += _half(bytes_nb, 2)
    return weights


def _q8_0(bytes_nb: Bytes) -> Floats:
    weights = bytes_nb[:, 2:].view(np.int8).astype(np.float32)
    weights *= _half(bytes_nb, 0)
    return weights


def _q4_k(bytes_nb: Bytes) -> Floats:
    """Eight sub-blocks of 32; their six-bit scales and minima share twelve bytes (4 to 15)."""
    low, middle, high = (bytes_nb[:, start : start + 4] for start in (4, 8, 12))
    scale_n8 = np.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=1)
    minimum_n8 = np.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=1)
    packed = bytes_nb[:, 16:].reshape(-1, 4, 32)
    # each run of 32 bytes is two sub-blocks: low nibbles, then high nibbles
    weights = np.stack([packed & 15, packed >> 4], axis=2).reshape(-1, 8, 32).astype(np.float32)
    weights *= (_half(bytes_nb, 0) * scale_n8)[:, :, None]
    weights -= (_half(bytes_nb, 2) * minimum_n8)[:, :, None]
    return weights


def _q6_k(bytes_nb: Bytes) -> Floats:
    """Sixteen sub-blocks of 16: four low bits at 0, two high bits at 128, int8 scales at 192."""
    low = bytes_nb[:, :128].reshape(-1, 2, 2, 32)
    low_bits = np.stack([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = bytes_nb[:, 128:192].reshape(-1, 2, 1, 32)
    high_bits = (high >> np.array([0, 2, 4, 6], np.uint8)[:, None]) & 3
    weights = (low_bits | (high_bits << 4)).astype(np.float32)
    weights -= 32
    scale_n16 = bytes_nb[:, 192:208].view(np.int8).astype(np.float32) * _half(bytes_nb, 208)
    by_scale: Floats = weights.reshape(-1, 16, 16)
    by_scale *= scale_n16[:, :, None]
    return by_scale


FORMATS: dict[int, BlockFormat] = {
    0: BlockFormat("F32", 1, 4, _f32),
    1: BlockFormat("F16", 1, 2, _f16),
    2: BlockFormat("Q4_0", 32, 18, _q4_0),
    3: BlockFormat("Q4_1", 32, 20, _q4_1),
    6: BlockFormat("Q5_0", 32, 22, _q5_0),
    7: BlockFormat("Q5_1", 32, 24, _q5_1),
    8: BlockFormat("Q8_0", 32, 34, _q8_0),
    12: BlockFormat("Q4_K", 256, 144, _q4_k),
    14: BlockFormat("Q6_K", 256, 210, _q6_k),
    30: BlockFormat("BF16", 1, 2, _bf16),
}
"""By the number that a GGUF file uses (`enum ggml_type` in ggml.h)."""
