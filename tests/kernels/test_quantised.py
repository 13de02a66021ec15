"""Quantised matrices: all forms against float64, on shapes that nobody chose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import formats
from fairwitness.kernels import quantised as room
from fairwitness.kernels.formats import Q4_0, Q4_1, Q4_K, Q5_K, Q6_K, Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import AMX, ANY, AVX2, AVX512, PLAIN
from fairwitness.models.dequantise import FORMATS, dequantise

native_only = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")
ALL = [Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K]
WHOLE, SEGMENT = [Q4_0, Q4_1], 320
kinds = st.sampled_from(ALL)


def random_blocks(kind: int, rows: int, blocks: int, seed: int, scale: float = 0.1) -> np.ndarray:
    """Rows of blocks as a file has them: random whole numbers, random scales of either sign."""
    rng, block = np.random.default_rng(seed), formats.FORMATS[kind]
    told = rng.integers(0, 256, (rows, blocks, block.size_bytes), np.uint8)
    first = 208 if kind == Q6_K else 0
    for half in range(first, first + 2 * block.halves, 2):
        scales = rng.normal(0, scale / block.tiles, (rows, blocks, 1)).astype(np.float16)
        told[:, :, half : half + 2] = scales.view(np.uint8)
    return told.reshape(rows, -1)


def largest(kind: int, told: np.ndarray, start: int) -> np.ndarray:
    """What a row's weights of 4 bits may come to from column `start` on in its segment."""
    here = told.reshape(len(told), -1, formats.FORMATS[kind].size_bytes)
    here = here[:, start // 32 : (start + SEGMENT) // 32]
    factor, least = np.ascontiguousarray(here[:, :, :4]).view(np.float16).astype(float).T
    ends = [-8 * factor] if kind == Q4_0 else [least, 15 * factor + least]
    return np.abs(ends).max(axis=(0, 1))


def vectors(count: int, columns: int, seed: int) -> np.ndarray:
    """Some wild, some calm, some zero."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (count, columns)) * 10.0 ** rng.integers(-6, 6, (count, 1))
    x[rng.random((count, columns)) < 0.1] = 0
    x[::5, :32] = 0
    return x.astype(np.float32)


@pytest.mark.parametrize("instructions", [None, ANY, PLAIN, AVX2, AVX512, AMX])
@settings(max_examples=40, deadline=None)
@given(kinds, st.integers(1, 70), st.integers(1, 7), st.integers(1, 40), st.integers(0, 999))
def test_products_are_those_of_float64(instructions, kind, rows, blocks, count, seed):
    tiles = room.pack(kind, random_blocks(kind, rows, blocks, seed))
    x = vectors(count, tiles.columns, seed)
    if instructions is None:
        got = room._multiplied_plainly(tiles, x)
    else:
        got = room.multiply(tiles, x, instructions)
    if got is None:
        pytest.skip(f"THIS MACHINE HAS NO INSTRUCTIONS {instructions}")
    weights = room.unpack(tiles).astype(np.float64)
    # half a step of 15 bits in each block, and what 24 bits lose in sums
    steps = np.abs(x.reshape(count, -1, 32)).max(axis=2) / (127 * 128)
    lost = steps @ np.abs(weights).reshape(rows, -1, 32).sum(axis=2).T
    bound = 0.51 * lost + 2e-5 * (np.abs(x).astype(np.float64) @ np.abs(weights).T) + 1e-30
    assert (np.abs(got - x.astype(np.float64) @ weights.T) <= bound).all()


@native_only
@settings(max_examples=40, deadline=None)
@given(kinds, st.integers(1, 40), st.integers(1, 5), st.integers(0, 999))
def test_tiles_hold_what_the_file_says(kind, rows, blocks, seed):
    told = random_blocks(kind, rows, blocks, seed)
    tiles = room.pack(kind, told)
    assert np.array_equal(tiles.data, room._packed_plainly(kind, told))
    expected = dequantise(FORMATS[kind], told.reshape(-1)).reshape(rows, -1)
    if kind not in WHOLE:
        assert np.array_equal(room.unpack(tiles), expected)
        return
    got = room.unpack(tiles)
    for start in range(0, expected.shape[1], SEGMENT):
        here = expected[:, start : start + SEGMENT]
        off = np.abs(got[:, start : start + SEGMENT] - here).max(axis=1)
        # half a unit for each of up to eight that a number is off the middle, and for that
        unit = 2.0 ** np.ceil(np.log2(largest(kind, told, start) / 32_760))
        assert (off <= 4.5 * unit).all()


@native_only
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(1, 40), st.integers(1, 25), st.integers(0, 999))
def test_scales_of_like_size_become_factors_as_they_are(kind, rows, blocks, seed):
    rng = np.random.default_rng(seed)
    told = random_blocks(kind, rows, blocks, seed).reshape(rows, blocks, -1)
    halves = formats.FORMATS[kind].halves
    sizes = rng.uniform(0.065, 0.099, (rows, blocks, halves)) * rng.choice([-1, 1], (rows, 1, 1))
    sizes[..., 1:] *= -8
    told[:, :, : 2 * halves] = sizes.astype(np.float16).view(np.uint8)
    told = told.reshape(rows, -1)
    expected = dequantise(FORMATS[kind], told.reshape(-1)).reshape(rows, -1)
    assert np.array_equal(room.unpack(room.pack(kind, told)), expected)


@native_only
@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
def test_a_vector_has_the_same_product_in_any_company(kind, instructions):
    tiles = room.pack(kind, random_blocks(kind, 48, 18, 1))
    x = vectors(45, tiles.columns, 2)
    together = room.multiply(tiles, x, instructions)
    if together is None:
        pytest.skip(f"THIS MACHINE HAS NO INSTRUCTIONS {instructions}")
    for first, end in [(0, 1), (1, 3), (3, 10), (5, 22), (2, 40), (44, 45)]:
        assert np.array_equal(room.multiply(tiles, x[first:end], instructions), together[first:end])


@native_only
@pytest.mark.parametrize("kind", ALL)
def test_wide_machines_agree_to_the_bit(kind):
    tiles = room.pack(kind, random_blocks(kind, 64, 9, 3))
    x = vectors(45, tiles.columns, 4)
    got = [room.multiply(tiles, x, instructions) for instructions in (AVX2, AVX512, AMX)]
    there = [products for products in got if products is not None]
    if len(there) < 2:
        pytest.skip("THIS MACHINE HAS NOT TWO OF AVX2, AVX-512 AND AMX")
    assert all(np.array_equal(products, there[0]) for products in there[1:])


@native_only
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_hidden(instructions, damage):
    tiles = room.pack(Q4_1, random_blocks(Q4_1, 16, 4, 5))
    x = vectors(6, tiles.columns, 6)
    x[3, 40] = damage
    got = room.multiply(tiles, x, instructions)
    if got is None:
        pytest.skip(f"THIS MACHINE HAS NO INSTRUCTIONS {instructions}")
    assert not np.isfinite(got[3]).any()
    assert np.isfinite(np.delete(got, 3, axis=0)).all()


@native_only
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-30, 1e30])
def test_the_smallest_and_largest_numbers_pass(instructions, size):
    tiles = room.pack(Q8_0, random_blocks(Q8_0, 16, 2, 7, scale=1e-3))
    x = np.full((1, 64), size, np.float32)
    got = room.multiply(tiles, x, instructions)
    if got is None:
        pytest.skip(f"THIS MACHINE HAS NO INSTRUCTIONS {instructions}")
    expected = x.astype(np.float64) @ room.unpack(tiles).astype(np.float64).T
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-28)


@native_only
@pytest.mark.parametrize("scale", [6e-8, 1e-6, 6e4, np.inf, np.nan])
def test_scales_at_the_ends_of_half_precision_are_read(scale):
    told = random_blocks(Q8_0, 16, 1, 8)
    told[:, :2] = np.array([scale], np.float16).view(np.uint8)
    tiles = room.pack(Q8_0, told)
    x = np.ones((1, 32), np.float32)
    for instructions in (PLAIN, AVX2, AVX512, AMX):
        got = room.multiply(tiles, x, instructions)
        if got is None:
            continue
        if np.isfinite(scale):
            np.testing.assert_allclose(got, x @ room.unpack(tiles).T, rtol=1e-4)
        else:
            assert not np.isfinite(got).any()
