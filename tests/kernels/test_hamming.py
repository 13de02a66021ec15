"""Nearest codes: both twins find what a full sort finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import hamming as room
from fairwitness.kernels.hamming import assign, distances, nearest
from fairwitness.kernels.native import library

native_only = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")


def codes(count: int, seed: int, ones: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.packbits(rng.random((count, 256)) < ones, axis=1)


def _distances(held: np.ndarray, query: np.ndarray) -> np.ndarray:
    one, twice, none = distances([held, np.concatenate([held, held]), held[:0]], query)
    assert twice.tolist() == 2 * one.tolist()
    assert not len(none)
    assert one.tolist() == room._distances_plainly(held, query).tolist()
    return one


def _distances(held: np.ndarray, query: np.ndarray) -> np.ndarray:
    one, twice, none = distances([held, np.concatenate([held, held]), held[:0]], query)
    assert twice.tolist() == 2 * one.tolist()
    assert not len(none)
    assert one.tolist() == room._distances_plainly(held, query).tolist()
    return one


@native_only
@settings(max_examples=60, deadline=None)
@given(
    count=st.sampled_from([0, 1, 5, 700, 3_000]),
    seed=st.integers(0, 99),
    k=st.sampled_from([1, 3, 100, 5_000]),
    ones=st.sampled_from([0.002, 0.5]),
    masked=st.booleans(),
    limit=st.sampled_from([0, 2, 120, 256]),
)
def test_the_twins_find_what_a_full_sort_finds(
    count: int, seed: int, k: int, ones: float, masked: bool, limit: int
) -> None:
    held, query = codes(count, seed, ones), codes(1, seed + 1_000, ones)[0]
    rng = np.random.default_rng(seed)
    allowed = rng.random(count) < 0.3 if masked else None
    stretches = np.array([[count // 2, count], [0, count // 4], [3, 3]], np.int64)

    def look() -> room.Near:
        return nearest(held, stretches, query, k, allowed=allowed, limit=limit)

    found = look()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "library", lambda: None)
        plain = look()
    far = _distances(held, query) if count else np.empty(0, np.int32)
    places = [*range(count // 2, count), *range(count // 4)]
    kept = [p for p in places if held[p].any() and (allowed is None or allowed[p])]
    truth = sorted((int(far[p]), p) for p in kept if far[p] <= limit)[:k]
    assert list(zip(found.distances.tolist(), found.rows.tolist(), strict=True)) == truth
    assert list(zip(plain.distances.tolist(), plain.rows.tolist(), strict=True)) == truth


@native_only
@pytest.mark.parametrize("ones", [0.01, 0.5])
def test_the_twins_assign_to_the_first_of_the_nearest(ones: float) -> None:
    held, centres = codes(500, 1, ones), codes(20, 2, ones)
    chosen = assign(held, centres)
    assert chosen.tolist() == room._assign_plainly(held, centres).tolist()
    assert chosen.tolist() == [int(np.argmin(_distances(centres, code))) for code in held]


def test_nothing_is_asked_for_and_nothing_comes() -> None:
    assert len(nearest(codes(5, 0), np.array([[0, 5]]), codes(1, 1)[0], 0).rows) == 0
