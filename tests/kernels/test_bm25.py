"""The formula: what a length adds to a term's count."""

import math

import numpy as np

from fairwitness.kernels import bm25
from fairwitness.kernels.postings import ASIDE


def test_norms_of_no_texts_are_those_of_the_mean() -> None:
    assert np.allclose(bm25.norms(0.0), 1.2)
    assert math.isclose(bm25.norms(10.0)[10], 1.2)
    assert ASIDE.dtype == np.uint64
