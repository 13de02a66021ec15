"""Fusion: what the two parts do to an order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairwitness.index.fusion import COSINE, COVER, UNRELATED, WORDS, fuse, related

NUMBERS = arrays(np.float64, 8, elements=st.floats(0, 30))
COSINES = arrays(np.float64, 8, elements=st.floats(-1, 1))


@given(NUMBERS, COSINES, COSINES, st.floats(0.01, 100))
def test_parts_are_bounded_and_the_unit_of_words_is_no_matter(
    words: np.ndarray, cosine: np.ndarray, cover: np.ndarray, unit: float
) -> None:
    parts = fuse(words, cosine, cover)
    assert (parts.words >= 0).all()
    assert (parts.words <= WORDS * (1 + 1e-12)).all()
    assert (parts.meaning >= 0).all()
    assert (parts.meaning <= COSINE + COVER).all()
    if words.max() > 1e-9:
        assert np.allclose(fuse(words * unit, cosine, cover).words, parts.words)


@given(NUMBERS, COSINES, COSINES)
def test_better_in_all_is_never_worse(
    words: np.ndarray, cosine: np.ndarray, cover: np.ndarray
) -> None:
    total = fuse(words, cosine, cover).total
    for a in range(8):
        for b in range(8):
            if words[a] >= words[b] and cosine[a] >= cosine[b] and cover[a] >= cover[b]:
                assert total[a] >= total[b]


def test_without_any_word_meaning_decides_alone() -> None:
    parts = fuse(np.zeros(3), np.array([0.2, 0.9, -0.5]), np.array([0.0, 0.5, -0.1]))
    assert parts.words.tolist() == [0, 0, 0]
    assert np.allclose(parts.meaning, [0.2 * COSINE, 0.9 * COSINE + 0.5 * COVER, 0])
    assert len(fuse(np.zeros(0), np.zeros(0), np.zeros(0)).words) == 0


def test_a_post_without_a_shared_word_must_mean_something_alike() -> None:
    words = np.array([0.0, 0.0, 0.1])
    cosine = np.array([UNRELATED, UNRELATED + 0.01, -1.0])
    assert related(words, cosine).tolist() == [False, True, True]
