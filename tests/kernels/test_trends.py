"""Counting what is said: once an author, once a copied text; native and plain alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import native, trends

POST = st.tuples(
    st.lists(st.integers(0, 40), max_size=6),  # items
    st.integers(1, 5),  # voice
    st.integers(0, 3),  # copied text
    st.integers(0, 2),  # scope
)
BATCH = st.lists(POST, max_size=30)


class Sketch:
    def __init__(self, slots: int = 16, words: int = 4) -> None:
        self.counts = np.zeros((2, slots), np.uint32)
        self.pairs = np.zeros((words, 2), np.uint64)

    def tally(self, batch: list, how=trends.tally, kept_most: int = 3) -> trends.Tally:
        items, voices, copies, scopes = zip(*batch, strict=True) if batch else ([],) * 4
        starts = np.cumsum([0, *map(len, items)]).astype(np.int64)
        return how(
            np.array([i for each in items for i in each], np.uint64) * np.uint64(0x1234567),
            starts,
            np.array(voices, np.uint64) * np.uint64(0x777),
            np.array(copies, np.uint64) * np.uint64(0x999),
            np.array(scopes, np.uint16),
            self.pairs,
            self.counts,
            kept_most,
        )


@settings(deadline=None)
@given(st.lists(BATCH, max_size=3), st.sampled_from([(16, 4), (1024, 512)]))
def test_the_kernel_counts_what_the_plain_one_counts(batches: list, size: tuple) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    one, other = Sketch(*size), Sketch(*size)
    for number, batch in enumerate(batches):
        if number:
            for sketch in (one, other):  # the older bits are looked at, too
                sketch.pairs[:, 1] = sketch.pairs[:, 0]
                sketch.pairs[:, 0] = 0
        native_told = one.tally(batch)
        plain_told = other.tally(batch, trends._tally_plainly)
        assert native_told.items.tolist() == plain_told.items.tolist()
        assert native_told.posts.tolist() == plain_told.posts.tolist()
        assert native_told.added == plain_told.added
        assert np.array_equal(one.counts, other.counts)
        assert np.array_equal(one.pairs, other.pairs)


@pytest.mark.parametrize("how", [trends.tally, trends._tally_plainly])
def test_an_author_counts_once_and_so_does_a_copied_text(how) -> None:
    sketch = Sketch(slots=1 << 12, words=1 << 12)
    batch = [([1, 1], 1, 0, 1), ([1], 1, 0, 1), ([1, 2], 2, 7, 1), ([1], 3, 7, 1), ([1], 4, 0, 2)]
    told = sketch.tally(batch, how, 100)
    assert told.posts.tolist() == [0, 2, 2, 4]
    items = np.array([1, 2, 1, 1], np.uint64) * np.uint64(0x1234567)
    keys = trends.keys_of(items, np.array([0, 0, 1, 2], np.uint16))
    slots = trends.slots_of(keys, 1 << 12)
    assert [sketch.counts[row][slots[row]].tolist() for row in (0, 1)] == [[3, 1, 2, 1]] * 2


def test_common_items_are_counted_but_not_handed_back() -> None:
    sketch = Sketch(slots=1 << 12, words=1 << 12)
    told = sketch.tally([([1], voice, 0, 0) for voice in range(1, 200)], kept_most=32)
    assert len(told.items) == 32
    assert 190 < sketch.counts.max() <= 199  # a few pairs share a bit with an earlier one


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 3)), max_size=40),
    st.integers(0, 2**32),
)
def test_hot_is_what_the_plain_one_says(some: list, seed: int) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    items = np.array([item for item, _ in some], np.uint64)
    scopes = np.array([scope for _, scope in some], np.uint16)
    slots = np.random.default_rng(seed).random((2, 64)) < 0.5
    at, own = trends.hot(items, scopes, slots)
    plain_at, plain_own = trends._hot_plainly(items, scopes, slots)
    assert at.tolist() == plain_at.tolist()
    assert own.tolist() == plain_own.tolist()
