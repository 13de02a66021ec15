"""The sketch against exact sums: right where slots are not shared, and never too low."""

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.index.trends import PostItems
from fairwitness.index.trends.averages import Averages
from fairwitness.index.trends.recent import Recent
from fairwitness.index.trends.sketch import WINDOWS, Bounds, Sketch, significant
from fairwitness.index.trends.window import Window
from fairwitness.kernels.trends import keys_of, mixed, slots_of

COUNTS = st.lists(st.integers(0, 2_000), min_size=1, max_size=60)


@given(COUNTS, st.floats(0.5, 200), st.integers(0, 3))
def test_averages_are_those_of_the_textbook(
    counts: list[int], half_life: float, quiet: int
) -> None:
    averages = Averages((1, 4), half_life)
    exact: list[int] = []
    for count in counts:
        averages.add(0, np.array([2]), np.array([count], np.uint32))
        averages.close()
        averages.skip(quiet)
        exact += [count, *[0] * quiet]
    weights = 2.0 ** (-np.arange(len(exact))[::-1] / half_life)
    mean = np.average(exact, weights=weights)
    variance = np.average((np.array(exact) - mean) ** 2, weights=weights)
    got_mean, got_variance = (float(each[0]) for each in averages.at(0, np.array([2])))
    assert got_mean == pytest.approx(mean, rel=1e-4, abs=1e-5)
    assert got_variance == pytest.approx(variance, rel=1e-3, abs=1e-3 * (1 + mean * mean) / 10)
    assert averages.at(0, np.array([1])) == (0, 0)


def test_averages_go_on_for_months() -> None:
    averages = Averages((1, 1), 6)
    for _ in range(20_000):
        averages.add(0, np.array([0]), np.array([7], np.uint32))
        averages.close()
    mean, variance = averages.at(0, np.array([0]))
    assert mean[0] == pytest.approx(7, rel=1e-3)
    assert variance[0] < 0.1


@pytest.mark.parametrize(("doubling_min", "surprising"), [(24, False), (8, True)])
def test_what_rises_with_the_hour_is_no_surprise(doubling_min: int, surprising: bool) -> None:
    """From one post in ten minutes to thirty a second, among a thousand a second."""
    sketch, rng = Sketch(Bounds(1 << 10, 1 << 12, 1 << 10, 1 << 10)), np.random.default_rng(3)
    slots = np.array([[7], [9]])
    no_lift = np.ones((len(WINDOWS), 1), np.float32)
    quiet_ticks = 12 * 60
    highest = 0.0
    for tick in range(quiet_ticks + int(12 * doubling_min * np.log2(150 / 0.008))):
        rate = 0.008 * 2 ** (max(0, tick - quiet_ticks) / (12 * doubling_min))
        sketch.windows[0].counts[[0, 1], [7, 9]] = rng.poisson(rate)
        sketch.windows[0].posts[0] = 5_000
        sketch.gather([slots[0], slots[1]])
        if tick >= quiet_ticks:
            highest = max(highest, float(sketch.surprise(slots, no_lift)[0].max()))
        sketch.close_tick()
    assert bool(significant(np.array([highest]))[0]) == surprising, highest


@settings(deadline=None)
@given(st.lists(st.integers(-400, 50), max_size=40), st.sampled_from([1, 6, 60]))
def test_a_window_skips_as_it_would_pass(steps: list[int], half_ticks: int) -> None:
    """A count is a tick with posts, a negative one that many ticks of silence."""
    one, other = (Window(half_ticks, 8, 4) for _ in range(2))
    for step in steps:
        for window in (one, other):
            if step > 0:
                window.counts[:, 3] += step
                window.posts[0] += step
                window.touch([np.array([3]), np.array([3])])
                window.pass_tick()
        if step < 0:
            one.skip(-step)
            for _ in range(-step):
                other.pass_tick()
    at = np.array([3])
    assert one.so_far(0, at) == other.so_far(0, at)
    assert one.usual(1, at)[0] == pytest.approx(other.usual(1, at)[0], rel=1e-3, abs=1e-6)
    assert one.posts_so_far()[0] == other.posts_so_far()[0]
    assert one.usual_posts()[0] == pytest.approx(other.usual_posts()[0], rel=1e-3, abs=1e-6)
    assert one.warm == other.warm


class Counted:
    """A sketch, and what it should say."""

    def __init__(self, slots: int) -> None:
        self.sketch = Sketch(Bounds(slots, 1 << 18, 1 << 12, 1 << 10))
        self.recent = Recent(1 << 12, 1 << 10)
        self.tick: dict[tuple[int, int], int] = {}

    def say(self, items: list[int], scopes: list[int], first_voice: int) -> None:
        count = len(items)
        hashed = mixed(np.array(items, np.uint64))
        voices = mixed(np.arange(first_voice, first_voice + count, dtype=np.uint64))
        self.sketch.count_posts(np.array(scopes, np.uint16))
        self.sketch.tally(
            hashed,
            np.arange(count + 1),
            voices,
            np.zeros(count, np.uint64),
            np.array(scopes, np.uint16),
        )
        for item, scope in zip(items, scopes, strict=True):
            for key in {(item, 0), (item, scope)}:
                self.tick[key] = self.tick.get(key, 0) + 1

    def slots(self) -> np.ndarray:
        items = mixed(np.array([item for item, _ in self.tick], np.uint64))
        scopes = np.array([scope for _, scope in self.tick], np.uint16)
        return slots_of(keys_of(items, scopes), self.sketch.slots)


BATCH = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=60)


@settings(deadline=None)
@given(BATCH, st.randoms(use_true_random=False))
def test_order_within_a_tick_does_not_matter(batch: list, shuffle: random.Random) -> None:
    one, other = Counted(1 << 10), Counted(1 << 10)
    for counted in (one, other):
        items, scopes = map(list, zip(*batch, strict=True))
        counted.say(items, scopes, 1)
        batch = shuffle.sample(batch, len(batch))
    assert one.tick == other.tick
    assert np.array_equal(one.sketch.windows[0].counts, other.sketch.windows[0].counts)


@settings(deadline=None)
@given(BATCH, st.sampled_from([1 << 4, 1 << 18]))
def test_counts_are_never_too_low_and_exact_where_slots_are_many(batch: list, slots: int) -> None:
    counted = Counted(slots)
    items, scopes = map(list, zip(*batch, strict=True))
    counted.say(items, scopes, 1)
    counted.sketch.gather([np.unique(row) for row in counted.slots()])
    exact = np.array(list(counted.tick.values()))
    for window in counted.sketch.counts(counted.slots()):
        if slots > 1 << 10:  # the few pairs that share a bit with an earlier one do not count
            assert np.all(np.abs(window.astype(int) - exact) <= 1)
        else:
            assert np.all(window >= exact - 1)


def test_memory_is_bounded_however_much_is_said(stream) -> None:
    rng = np.random.default_rng(5)
    sketch, posts = stream.trends, 2_000
    limit_bytes = stream.bounds.size_bytes()

    def say(number: int) -> None:
        words = rng.integers(0, 2**63, posts * 10, dtype=np.uint64)
        nothing = np.zeros(posts, np.uint64)
        sketch.see(
            PostItems(
                ordinals=np.arange(posts),
                seen_ms=np.full(posts, 1_700_000_000_000 + number * 5_000),
                langs=rng.integers(0, 2_000, posts).astype(np.uint16),
                authors=rng.integers(1, 2**63, posts, dtype=np.uint64),
                copies=nothing,
                words=words,
                word_starts=np.arange(posts + 1) * 10,
                links=words[:0],
                link_starts=np.zeros(posts + 1, np.int64),
            )
        )

    say(0)
    tracemalloc.start()
    try:
        for number in range(1, 60):  # 1.2 million different words
            say(number)
        grown_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown_bytes < limit_bytes / 4
    held = sum(array.nbytes for array in sketch.arrays().values())
    assert held < limit_bytes + 1_000
    assert sketch.top(10) == []


def test_the_bound_that_is_stated_is_that_of_the_arrays() -> None:
    bounds = Bounds()
    assert bounds.size_bytes() == pytest.approx(137e6, rel=0.01)
    assert len(WINDOWS) == 3
