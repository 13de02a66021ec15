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

# So many weights at a time: intermediate arrays then stay in the processor's cache, and small
# beside the tensor.
SLAB_WEIGHTS = 1 << 18

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BlockFormat:
    """One GGML tensor type: `weights` values are packed into `size_bytes` bytes."""

    name: str
    weights: int
    size_bytes: int
    decode: Callable[[Bytes], Floats]
    halves: tuple[int, ...] = ()  # at which bytes of a block its float16 scales start


def dequantise(block_format: BlockFormat, data: Bytes) -> Floats:
    """Unpack whole blocks into a flat float32 array.

    A damaged scale may be infinite or NaN; it then spreads to its block without a warning, and
    `is_finite` tells.
    """
    bytes_nb = data.reshape(-1, block_format.size_bytes)
    weights_nw = np.empty((len(bytes_nb), block_format.weights), np.float32)
    blocks = SLAB_WEIGHTS // block_format.weights
    with np.errstate(invalid="ignore", over="ignore"):
        for at in range(0, len(bytes_nb), blocks):
            slab = block_format.decode(bytes_nb[at : at + blocks])
            weights_nw[at : at + blocks] = slab.reshape(-1, block_format.weights)
    return weights_nw.reshape(-1)


def is_finite(block_format: BlockFormat, data: Bytes) -> bool:
    """Whether no weight is infinite or NaN, told from the scales where there are any."""
    bytes_nb = data.reshape(-1, block_format.size_bytes)
    starts, exponent = block_format.halves, _F16_EXPONENT
    if block_format.weights == 1:
        starts = (block_format.size_bytes - 2,)  # sign and exponent stand at the end
        exponent = _F16_EXPONENT if block_format.name == "F16" else _F32_EXPONENT
    halves = (np.ascontiguousarray(bytes_nb[:, at : at + 2]).view("<u2") for at in starts)
    # the exponent is all ones in infinity and NaN alone
    return all(((half & exponent) != exponent).all() for half in halves)


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


def _iq4_nl(bytes_nb: Bytes) -> Floats:
    weights = _UNEVEN_STEPS[_nibbles(bytes_nb[:, 2:])]
    weights *= _half(bytes_nb, 0)
    return weights


def _mxfp4(bytes_nb: Bytes) -> Floats:
    """Four-bit floats under one power of two; the table holds them doubled."""
    weights = _FOUR_BIT_FLOATS_TWICE[_nibbles(bytes_nb[:, 1:])]
    power = bytes_nb[:, :1].astype(np.int32) - 127
    return np.ldexp(weights, power - 1)


def _q2_k(bytes_nb: Bytes) -> Floats:
    """Sixteen sub-blocks of 16: a byte of scale and minimum each, two bits a weight at 16."""
    scale_n16 = (bytes_nb[:, :16] & 15) * _half(bytes_nb, 80)
    minimum_n16 = (bytes_nb[:, :16] >> 4) * _half(bytes_nb, 82)
    weights = _quarters(bytes_nb[:, 16:80]).reshape(-1, 16, 16).astype(np.float32)
    weights *= scale_n16[:, :, None]
    weights -= minimum_n16[:, :, None]
    return weights


def _q3_k(bytes_nb: Bytes) -> Floats:
    """Sixteen sub-blocks of 16: a high bit at 0, two bits at 32, six-bit scales at 96."""
    low, high = bytes_nb[:, 96:104], bytes_nb[:, 104:108]
    low_n16 = np.concatenate([low & 15, low >> 4], axis=1)
    high_n16 = (high[:, None, :] >> _EVEN_SHIFTS & 3).reshape(-1, 16)
    scale_n16 = (low_n16 | high_n16 << 4).astype(np.float32) - 32
    scale_n16 *= _half(bytes_nb, 108)
    third_bit = _planes(bytes_nb[:, :32])
    three_bits = _quarters(bytes_nb[:, 32:96]).reshape(-1, 8, 32) | third_bit << 2
    weights = three_bits.astype(np.float32).reshape(-1, 16, 16)
    weights -= 4
    weights *= scale_n16[:, :, None]
    return weights


def _q4_k(bytes_nb: Bytes) -> Floats:
    return _eight_sub_blocks(bytes_nb, _nibble_runs(bytes_nb[:, 16:]))


def _q5_k(bytes_nb: Bytes) -> Floats:
    """As Q4_K, with a plane of fifth bits at 16 before the nibbles at 48."""
    fifth_bit = _planes(bytes_nb[:, 16:48])
    return _eight_sub_blocks(bytes_nb, _nibble_runs(bytes_nb[:, 48:]) | fifth_bit << np.uint8(4))


def _eight_sub_blocks(bytes_nb: Bytes, levels: Bytes) -> Floats:
    """Scale eight sub-blocks of 32; their six-bit scales and minima share bytes 4 to 15."""
    low, middle, high = (bytes_nb[:, start : start + 4] for start in (4, 8, 12))
    scale_n8 = np.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=1)
    minimum_n8 = np.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=1)
    weights = levels.astype(np.float32)
    weights *= (_half(bytes_nb, 0) * scale_n8)[:, :, None]
    weights -= (_half(bytes_nb, 2) * minimum_n8)[:, :, None]
    return weights


def _nibble_runs(packed: Bytes) -> Bytes:
    """Runs of 32 bytes, each two sub-blocks of 32: the low nibbles, then the high ones."""
    runs = packed.reshape(-1, 4, 32)
    return np.stack([runs & 15, runs >> 4], axis=2).reshape(-1, 8, 32)


def _quarters(packed: Bytes) -> Bytes:
    """Runs of 32 bytes, each four times 32 two-bit weights, lowest bits first."""
    return packed.reshape(-1, 2, 1, 32) >> _EVEN_SHIFTS & np.uint8(3)


def _planes(packed: Bytes) -> Bytes:
    """32 bytes as eight planes of 32 bits: bit j of each belongs to sub-block j."""
    return packed.reshape(-1, 1, 32) >> _SHIFTS & np.uint8(1)


def _q6_k(bytes_nb: Bytes) -> Floats:
    """Sixteen sub-blocks of 16: four low bits at 0, two high bits at 128, int8 scales at 192."""
    low = bytes_nb[:, :128].reshape(-1, 2, 2, 32)
    low_bits = np.stack([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = bytes_nb[:, 128:192].reshape(-1, 2, 1, 32)
    high_bits = (high >> _EVEN_SHIFTS) & 3
    weights = (low_bits | (high_bits << 4)).astype(np.float32)
    weights -= 32
    scale_n16 = bytes_nb[:, 192:208].view(np.int8).astype(np.float32) * _half(bytes_nb, 208)
    by_scale: Floats = weights.reshape(-1, 16, 16)
    by_scale *= scale_n16[:, :, None]
    return by_scale


_F16_EXPONENT, _F32_EXPONENT = np.uint16(0x7C00), np.uint16(0x7F80)
# What the sixteen nibbles of IQ4_NL and of MXFP4 stand for (`kvalues_…` in ggml-common.h).
_UNEVEN_STEPS = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
_FOUR_BIT_FLOATS_TWICE = np.array(
    [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32
)
_SHIFTS = np.arange(8, dtype=np.uint8)[:, None]
_EVEN_SHIFTS = _SHIFTS[::2][:4]

FORMATS: dict[int, BlockFormat] = {
    0: BlockFormat("F32", 1, 4, _f32),
    1: BlockFormat("F16", 1, 2, _f16),
    2: BlockFormat("Q4_0", 32, 18, _q4_0, (0,)),
    3: BlockFormat("Q4_1", 32, 20, _q4_1, (0, 2)),
    6: BlockFormat("Q5_0", 32, 22, _q5_0, (0,)),
    7: BlockFormat("Q5_1", 32, 24, _q5_1, (0, 2)),
    8: BlockFormat("Q8_0", 32, 34, _q8_0, (0,)),
    10: BlockFormat("Q2_K", 256, 84, _q2_k, (80, 82)),
    11: BlockFormat("Q3_K", 256, 110, _q3_k, (108,)),
    12: BlockFormat("Q4_K", 256, 144, _q4_k, (0, 2)),
    13: BlockFormat("Q5_K", 256, 176, _q5_k, (0, 2)),
    14: BlockFormat("Q6_K", 256, 210, _q6_k, (208,)),
    20: BlockFormat("IQ4_NL", 32, 18, _iq4_nl, (0,)),
    30: BlockFormat("BF16", 1, 2, _bf16),
    39: BlockFormat("MXFP4", 32, 17, _mxfp4),
}
"""By the number that a GGUF file uses (`enum ggml_type` in ggml.h)."""
UNREAD = {
    **{9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S"},
    **{21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64"},
    **{28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4", 41: "Q1_0"},
}
"""The names of the others, so that a refusal can say which."""
