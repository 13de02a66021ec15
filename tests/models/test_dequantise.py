"""Every block format against the `gguf` package; the golden is made by
benchmarks/make_blocks_golden.py."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairwitness.models.dequantise import FORMATS, dequantise, is_finite
from fairwitness.models.quantise import WRITABLE, quantise

BY_NAME = {each.name: each for each in FORMATS.values()}


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "blocks.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("name", set(BY_NAME) - {"F32"})
def test_blocks_unpack_as_elsewhere(golden, name):
    found = dequantise(BY_NAME[name], golden[f"{name}/blocks"].reshape(-1))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, golden[f"{name}/weights"])


@pytest.mark.parametrize("name", set(WRITABLE) - {"F32"})
def test_weights_pack_as_elsewhere(golden, name):
    found = quantise(WRITABLE[name], golden["weights"])
    np.testing.assert_array_equal(found, golden[f"{name}/packed"])


WEIGHTS = arrays.arrays(np.float32, (2, 32), elements=st.floats(-1000, 1000, width=32))
# The share of a block's largest size by which a weight may move: half a step of the levels, the
# step's own rounding to a half, and the level that the uneven sides of Q4_0 and Q5_0 lack.
MOVES = {
    "F32": 0.0,
    "F16": 2.0**-11,
    "BF16": 2.0**-8,
    "Q8_0": 0.51 / 127 + 2.0**-10,
    "Q5_1": 1.02 / 31 + 2.0**-10,
    "Q5_0": 1.01 / 16 + 2.0**-10,
    "Q4_1": 1.02 / 15 + 2.0**-10,
    "Q4_0": 1.01 / 8 + 2.0**-10,
}


@pytest.mark.parametrize("name", WRITABLE)
@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS)
def test_packing_moves_a_weight_by_a_step_at_most(name, weights):
    packed = quantise(WRITABLE[name], weights)
    assert packed.size == weights.size // WRITABLE[name].weights * WRITABLE[name].size_bytes
    found = dequantise(WRITABLE[name], packed).reshape(weights.shape)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    # a float16 has no numbers between 0 and 2**-24, so tiny steps are lost
    assert (np.abs(found - weights) <= MOVES[name] * largest + 2.0**-18).all()


@pytest.mark.parametrize("name", WRITABLE)
@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS)
def test_what_was_unpacked_packs_again_without_drift(name, weights):
    once = dequantise(WRITABLE[name], quantise(WRITABLE[name], weights))
    twice = dequantise(WRITABLE[name], quantise(WRITABLE[name], once))
    bound = MOVES[name] * np.abs(once).max() + 2.0**-18
    np.testing.assert_allclose(twice, once, rtol=0, atol=bound)


def test_a_damaged_scale_gives_no_warning_and_is_seen():
    block = np.full(20, 0xFF, np.uint8)  # both halves are NaN
    assert np.isnan(dequantise(FORMATS[3], block)).all()
    assert not is_finite(FORMATS[3], block)


@pytest.mark.parametrize("kind", FORMATS)
def test_one_bad_scale_among_many_is_seen(kind):
    block_format = FORMATS[kind]
    blocks = np.zeros((9, block_format.size_bytes), np.uint8)
    assert is_finite(block_format, blocks.reshape(-1))
    for start in block_format.halves:
        damaged = blocks.copy()
        damaged[7, start : start + 2] = 0x00, 0x7C  # infinity
        assert not is_finite(block_format, damaged.reshape(-1))


@pytest.mark.parametrize("name", ["F32", "F16", "BF16"])
def test_one_weight_that_is_no_number_is_seen(name):
    weights = np.zeros(9, np.float32)
    assert is_finite(BY_NAME[name], quantise(BY_NAME[name], weights))
    weights[7] = np.nan
    assert not is_finite(BY_NAME[name], quantise(BY_NAME[name], weights))


def test_a_weight_that_a_half_cannot_hold_is_seen():
    packed = quantise(WRITABLE["F16"], np.array([1, 70_000], np.float32))
    assert not is_finite(WRITABLE["F16"], packed)
