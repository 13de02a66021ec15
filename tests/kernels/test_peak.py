"""The processor's peaks: there where the step's form is, and in proportion."""

import numpy as np
import pytest

from fairwitness.kernels import quantised
from fairwitness.kernels.native import library
from fairwitness.kernels.peak import Peak, measured_peak
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN

FORMS = {AVX2: "AVX2", AVX512: "AVX-512", AMX: "AMX"}


def has_form(instructions: int) -> bool:
    """Whether the decoder's step has that form on this machine."""
    tiles = quantised.pack(quantised.Q8_0, np.zeros((16, 34), np.uint8))
    return quantised.multiply(tiles, np.zeros((1, 32), np.float32), instructions) is not None


@pytest.mark.parametrize("instructions", FORMS, ids=FORMS.values())
def test_a_form_that_a_step_has_has_a_peak(instructions: int):
    if library() is None:
        pytest.skip("NO NATIVE KERNELS: there is no peak to measure")
    peak = measured_peak(1, instructions)
    assert (peak is not None) == has_form(instructions)
    if peak is None:
        return
    assert peak.floats_s > 0
    assert peak.bytes_s > 1.5 * peak.floats_s  # four bytes take no more room than one float
    assert (peak.pairs_s is not None) == (instructions == AMX)


def test_what_a_compiler_makes_for_any_machine_is_no_peak():
    assert measured_peak(1, PLAIN) is None


def test_tiles_take_more_products_for_each_of_ours():
    lanes, tiles = Peak(12.0, 6.0, None), Peak(12.0, 3.0, 6.0)
    assert lanes.products_a_weight == 2
    assert tiles.products_a_weight == 4
    assert lanes.attention_s("f32") == lanes.attention_s("int8") == 6.0
    assert tiles.attention_s("f32") == tiles.attention_s("f16") == 2.0
    assert tiles.attention_s("int8") == 3.0
