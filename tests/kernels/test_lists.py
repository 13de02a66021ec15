"""Nearest codes in lists of slices: both twins find what a look at each code finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import hamming, native
from fairwitness.kernels.lists import Lists, nearest

LISTS = 20


def codes(count: int, seed: int) -> np.ndarray:
    held = np.packbits(np.random.default_rng(seed).random((count, 256)) < 0.5, axis=1)
    held[::7] = 0
    return held


def in_lists(held: np.ndarray, list_of: np.ndarray, is_sealed: bool) -> Lists:
    if not is_sealed:
        return Lists.growing(held, LISTS, list_of)
    rows, stretches = np.arange(len(held)), max(-(-len(held) // 65_536), 1)
    order = np.argsort(list_of, kind="stable")
    cells = list_of.astype(np.int64) * stretches + rows // 65_536
    starts = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=LISTS * stretches))])
    return Lists.sealed(held[order].copy(), starts, (order % 65_536).astype(np.uint16))


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 255, 700, 3_000, 70_000]), min_size=1, max_size=4),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    k=st.sampled_from([1, 3, 100]),
    masked=st.booleans(),
    limit=st.sampled_from([0, 110, 256]),
    seed=st.integers(0, 9),
)
def test_the_twins_find_what_a_look_at_each_finds(
    sizes: list[int], share: float, k: int, masked: bool, limit: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    held = [codes(size, seed + at) for at, size in enumerate(sizes)]
    list_of = [rng.integers(0, LISTS, size).astype(np.uint16) for size in sizes]
    wanted = [np.flatnonzero(rng.random(LISTS) < share) for _ in sizes]
    allowed = [rng.random(size) < 0.3 if masked else None for size in sizes]
    slices = [
        in_lists(*each, at % 2 == 0) for at, each in enumerate(zip(held, list_of, strict=True))
    ]
    query, chosen = codes(2, 1_000)[1], np.concatenate(wanted)
    counts, known, truths = np.array(list(map(len, wanted))), [], []
    for each, lists, some, mask in reversed(list(zip(held, list_of, wanted, allowed, strict=True))):
        (far,) = hamming.distances([each], query)
        reach = limit if len(known) < k else sorted(known)[k - 1]
        may = np.isin(lists, some) & each.any(axis=1) & (far <= reach)
        rows = np.flatnonzero(may if mask is None else may & mask).tolist()
        truths.append(sorted((int(far[row]), row) for row in rows)[:k])
        known += [distance for distance, _ in truths[-1]]
    for is_native in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not is_native:
                patch.setattr(native, "library", lambda: None)
            found = nearest(slices, chosen, counts, query, k, allowed=allowed, limit=limit)
        told = [[*zip(near.distances.tolist(), near.rows.tolist(), strict=True)] for near in found]
        assert told == truths[::-1]
