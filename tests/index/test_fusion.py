"""Fusion: what the two parts do to an order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairwitness.index.fusion import COSINE, COVER, ECHO, FLOOR, UNRELATED, WORDS, fuse, related
from fairwitness.index.meaning import Alike

NUMBERS = arrays(np.float64, 8, elements=st.floats(0, 30))
COSINES = arrays(np.float64, 8, elements=st.floats(-1, 1))
DIRECTIONS = np.random.default_rng(0).normal(size=(8, 256)).astype(np.float32)
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)


def like(cosine: np.ndarray, cover: np.ndarray, directions: np.ndarray | None = None) -> Alike:
    if directions is None:
        directions = np.zeros((len(cosine), 256), np.float32)
    return Alike(cosine, cover, directions)


@given(NUMBERS, COSINES, COSINES, st.floats(0.01, 100))
def test_parts_are_bounded_and_the_unit_of_words_is_no_matter(
    words: np.ndarray, cosine: np.ndarray, cover: np.ndarray, unit: float
) -> None:
    parts = fuse(words, like(cosine, cover, DIRECTIONS))
    assert (parts.words >= 0).all()
    assert (parts.words <= WORDS * (1 + 1e-12)).all()
    assert (parts.meaning >= 0).all()
    assert (parts.meaning <= COSINE + COVER + ECHO + 1e-6).all()
    if words.max() > 1e-9:
        other = fuse(words * unit, like(cosine, cover, DIRECTIONS))
        assert np.allclose(other.words, parts.words)


@given(NUMBERS, COSINES, COSINES)
def test_better_in_all_is_never_worse(
    words: np.ndarray, cosine: np.ndarray, cover: np.ndarray
) -> None:
    total = fuse(words, like(cosine, cover)).total
    for a in range(8):
        for b in range(8):
            if words[a] >= words[b] and cosine[a] >= cosine[b] and cover[a] >= cover[b]:
                assert total[a] >= total[b]


def test_without_any_word_meaning_decides_alone() -> None:
    parts = fuse(np.zeros(3), like(np.array([0.2, 0.9, -0.5]), np.array([0.0, 0.5, -0.1])))
    assert parts.words.tolist() == [0, 0, 0]
    assert np.allclose(parts.meaning, [0.2 * COSINE, 0.9 * COSINE + 0.5 * COVER, 0])
    assert len(fuse(np.zeros(0), like(np.zeros(0), np.zeros(0))).words) == 0


def test_words_count_from_a_share_of_the_best_on_also_when_that_is_elsewhere() -> None:
    nothing = like(np.zeros(3), np.zeros(3))
    words = np.array([8.0, 8.0 * FLOOR, 8.0 * (1 + FLOOR) / 2])
    assert fuse(words, nothing).words == pytest.approx([WORDS, 0, WORDS / 2])
    assert fuse(words, nothing, best=16.0).words == pytest.approx([0, 0, 0])


def test_what_is_like_the_best_posts_gains_over_an_equal_that_is_not() -> None:
    axes = np.eye(256, dtype=np.float32)[[0, 0, 0, 0, 1]]
    cosine = np.array([0.9, 0.8, 0.7, 0.3, 0.3])
    parts = fuse(np.zeros(5), like(cosine, np.zeros(5), axes))
    assert parts.meaning[3] - parts.meaning[4] == pytest.approx(ECHO)


def test_a_post_without_a_shared_word_must_mean_something_alike() -> None:
    words = np.array([0.0, 0.0, 0.1])
    cosine = np.array([UNRELATED, UNRELATED + 0.01, -1.0])
    assert related(words, cosine).tolist() == [False, True, True]
