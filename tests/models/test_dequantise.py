"""Every block format against a loop over single weights, written from the struct definitions."""

import struct

import numpy as np
import pytest

from fairwitness.models.dequantise import FORMATS, dequantise


def half(block: bytes, place: int) -> float:
    return struct.unpack_from("<e", block, place)[0]


def fifth_bit(block: bytes, place: int, weight: int) -> int:
    return (struct.unpack_from("<I", block, place)[0] >> weight & 1) << 4


def nibble(block: bytes, place: int, weight: int) -> int:
    return block[place + weight % 16] >> (4 if weight >= 16 else 0) & 15


def q4_k(block: bytes, weight: int) -> float:
    scales, sub = block[4:16], weight // 32
    if sub < 4:
        scale, low = scales[sub] & 63, scales[sub + 4] & 63
    else:
        scale = scales[sub + 4] & 15 | scales[sub - 4] >> 6 << 4
        low = scales[sub + 4] >> 4 | scales[sub] >> 6 << 4
    byte = block[16 + weight // 64 * 32 + weight % 32]
    level = byte >> 4 if weight % 64 >= 32 else byte & 15
    return half(block, 0) * scale * level - half(block, 2) * low


def q6_k(block: bytes, weight: int) -> float:
    upper, inside = divmod(weight, 128)
    quarter, lane = divmod(inside, 32)
    low_byte = block[upper * 64 + quarter % 2 * 32 + lane]
    low = low_byte >> 4 if quarter >= 2 else low_byte & 15
    high = block[128 + upper * 32 + lane] >> (2 * quarter) & 3
    scale = struct.unpack_from("<b", block, 192 + weight // 16)[0]
    return half(block, 208) * scale * ((low | high << 4) - 32)


SCALAR = {
    "F32": lambda block, j: struct.unpack("<f", block)[0],
    "F16": lambda block, j: half(block, 0),
    "BF16": lambda block, j: struct.unpack("<f", b"\0\0" + block)[0],
    "Q4_0": lambda block, j: half(block, 0) * (nibble(block, 2, j) - 8),
    "Q4_1": lambda block, j: half(block, 0) * nibble(block, 4, j) + half(block, 2),
    "Q5_0": lambda block, j: half(block, 0) * ((nibble(block, 6, j) | fifth_bit(block, 2, j)) - 16),
    "Q5_1": lambda block, j: (
        half(block, 0) * (nibble(block, 8, j) | fifth_bit(block, 4, j)) + half(block, 2)
    ),
    "Q8_0": lambda block, j: half(block, 0) * struct.unpack_from("<b", block, 2 + j)[0],
    "Q4_K": q4_k,
    "Q6_K": q6_k,
}
HALVES = {"Q4_1": 2, "Q5_1": 2, "Q4_K": 2, "Q6_K": 0, "F32": 0, "BF16": 0}


@pytest.mark.parametrize("block_format", FORMATS.values(), ids=lambda each: each.name)
def test_matches_the_scalar_definition(block_format):
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (5, block_format.size_bytes), np.uint8)
    for place in range(0, 2 * HALVES.get(block_format.name, 1), 2):
        blocks[:, place : place + 2] = rng.normal(0, 2, (5, 1)).astype("<f2").view(np.uint8)
    if block_format.name == "Q6_K":
        blocks[:, 208:] = rng.normal(0, 2, (5, 1)).astype("<f2").view(np.uint8)
    if block_format.name in ("F32", "BF16"):
        blocks[:, -1] &= 0x3F  # finite
    expected = [
        SCALAR[block_format.name](block.tobytes(), weight)
        for block in blocks
        for weight in range(block_format.weights)
    ]
    found = dequantise(block_format, blocks.reshape(-1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_a_damaged_scale_gives_no_warning():
    block = np.full(20, 0xFF, np.uint8)  # both halves are NaN
    assert np.isnan(dequantise(FORMATS[3], block)).all()
