"""Masks: both twins keep what one comparison a row keeps."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import native
from fairwitness.kernels.masks import keep_among, keep_from, unmarked

COUNTS = st.sampled_from([0, 1, 64, 4_095, 4_096, 9_000])


def hold(narrow: Callable[[np.ndarray], int], mask: np.ndarray, passes: np.ndarray) -> None:
    """Hold both twins to what passes."""
    for is_native in (True, False):
        left = mask.copy()
        with pytest.MonkeyPatch.context() as patch:
            if not is_native:
                patch.setattr(native, "library", lambda: None)
            count = narrow(left)
        assert left.tolist() == (mask & passes).tolist()
        assert count == left.sum()


@settings(deadline=None, max_examples=40)
@given(
    count=COUNTS,
    values=st.lists(st.sampled_from([0, 1, 3, 64, 2**16 - 1]), max_size=6),
    least=st.sampled_from([-(2**63), -5, 0, 2**62, 2**63 - 1]),
    negated=st.booleans(),
)
def test_the_twins_keep_the_rows_that_pass(
    count: int, values: list[int], least: int, negated: bool
) -> None:
    rng = np.random.default_rng(count)
    mask = rng.random(count) < 0.7
    short = rng.choice(np.array([0, 1, 2, 64, 65, 2**16 - 1], np.uint16), count)
    long = rng.choice(np.array([-(2**63), -5, -4, 0, 2**62, 2**63 - 1]), count)
    among = np.isin(short, values) != negated
    hold(lambda left: keep_among(left, short, values, negated=negated), mask, among)
    bytes_n = short.astype(np.uint8)
    among = np.isin(bytes_n, values) != negated
    hold(lambda left: keep_among(left, bytes_n, values, negated=negated), mask, among)
    later = (long >= least) != negated
    hold(lambda left: keep_from(left, long, least, negated=negated), mask, later)


@settings(deadline=None, max_examples=20)
@given(count=COUNTS, bits=st.sampled_from([1, 65, 2**15]), other=st.sampled_from([1, 64, 2**15]))
def test_the_twins_know_what_has_no_mark(count: int, bits: int, other: int) -> None:
    rng = np.random.default_rng(count)
    column = rng.choice(np.array([0, 1, 2, 64, 65, 2**16 - 1], np.uint16), count)
    for is_native in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not is_native:
                patch.setattr(native, "library", lambda: None)
            mask, others = unmarked(column, bits, other)
        assert mask.tolist() == ((column & bits) == 0).tolist()
        assert others == np.count_nonzero((column & bits) == other)
