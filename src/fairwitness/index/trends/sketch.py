"""How often each thing is said, and how often it usually is, in memory that never grows.

A thing's count lies in one slot of each of two rows, shared with whatever else falls there. Beside
it lie the mean and the variance of earlier counts, each window weighing less the older it is, as
SigniTrend keeps them (Schubert, Weiler and Kriegel, KDD 2014, doi:10.1145/2623330.2623740); what
both rows call surprising is. Three windows are kept, of a tick, a minute and ten, so that
what five thousand say in a second and what ten say in ten minutes are found alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.window import SCOPES, Slots, Touched, Window, below
from fairwitness.kernels.trends import Items, Tally, tally

TICK_MS = 5_000
WINDOWS = (2, 12, 120)
"""How many ticks each window has: 10 s, 1 min, 10 min."""

_WARM = (10, 8, 4)
"""How many halves of each must have been learnt before anything in it can be surprising."""
_LEAST = 1.0
_LEAST_SHARE = 4e-5
"""The least expected count (SigniTrend's beta) is `_LEAST` and this share of a window's posts."""
_GROWTH = 3.0
_SIGNIFICANT = 5.0
_KNOWN_POSTS = 30
"""Of a language with fewer posts so far nobody can say what is usual in it."""
_KEPT_MOST = 32
"""So many posts of a slot are handed back in each tick; more of one thing are not needed."""
_PAIRS_TICKS = 120
"""An author's repetition counts again after 10 to 20 min, or earlier when the bits are full."""
_FULL = 1 / 8

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bounds:
    """What bounds the memory, each a power of two; the defaults are 136 MB."""

    slots: int = 1 << 19
    pair_bits: int = 1 << 25
    """Bits of item-and-author pairs, of which there are two sets."""
    recent_items: int = 1 << 22
    recent_posts: int = 1 << 20

    def size_bytes(self) -> int:
        """Return the most that trends keep in arrays."""
        windows = len(WINDOWS) * (2 * self.slots + SCOPES) * (4 + 4 + 4 + 4) + SCOPES * 8
        return windows + 2 * self.pair_bits // 8 + self.recent_items * 12 + self.recent_posts * 26


class Sketch:
    """All counts. Nothing here knows what a post is, only numbers."""

    def __init__(self, bounds: Bounds) -> None:
        self.slots = bounds.slots
        self.windows = [
            Window(ticks // 2, bounds.slots, warm)
            for ticks, warm in zip(WINDOWS, _WARM, strict=True)
        ]
        self.posts_known = np.zeros(SCOPES, np.int64)
        self._pairs = np.zeros((bounds.pair_bits // 64, 2), np.uint64)
        self._pairs_set = 0
        self._pairs_ticks = 0

    def tally(
        self,
        items: Items,
        starts: NDArray[np.int64],
        voices: Items,
        copies: Items,
        scopes: NDArray[np.uint16],
    ) -> Tally:
        """Count in the open tick; return what is new in it, for somebody to remember."""
        if self._pairs_set > _FULL * len(self._pairs) * 64:
            self._turn_pairs()
        arrays = (items, starts, voices, copies, scopes)
        told = tally(*arrays, self._pairs, self.windows[0].counts, _KEPT_MOST)
        self._pairs_set += told.added
        return told

    def count_posts(self, scopes: NDArray[np.uint16]) -> None:
        """Count the posts themselves, by scope; shape (posts,)."""
        told = np.bincount(scopes[scopes > 0], minlength=SCOPES).astype(np.uint32)
        told[0] = len(scopes)
        self.windows[0].posts += told

    def gather(self, touched: Touched) -> None:
        """Add the open tick to the longer windows; `touched` are its slots, none twice in a row."""
        shortest, *longer = self.windows
        shortest.touch(touched)
        for window in longer:
            window.touch(touched)
            window.posts += shortest.posts
            if touched is None:
                window.counts += shortest.counts
                continue
            for row, slots in enumerate(touched):
                window.counts[row][slots] += shortest.counts[row][slots]

    def close_tick(self) -> None:
        """End the open tick, and the windows that end with it."""
        self.posts_known += self.windows[0].posts
        for window in self.windows:
            window.pass_tick()
        self._pass(1)

    def skip(self, ticks: int) -> None:
        """Let ticks pass in which nothing was said."""
        for window in self.windows:
            window.skip(ticks)
        self._pass(ticks)

    def drop(self) -> None:
        """Forget the windows at hand, after a time in which nobody listened."""
        for window in self.windows:
            window.drop()

    def counts(self, slots: Slots) -> NDArray[np.uint32]:
        """Return the counts so far, at most too high, shape (windows, k), for slots (2, k)."""
        return np.stack(
            [np.minimum(w.so_far(0, slots[0]), w.so_far(1, slots[1])) for w in self.windows]
        )

    def in_tick(self, slots: Slots) -> NDArray[np.uint32]:
        """Return the counts of the open tick alone, shape (k,), for slots (2, k)."""
        counts = self.windows[0].counts
        lower: NDArray[np.uint32] = np.minimum(counts[0][slots[0]], counts[1][slots[1]])
        return lower

    def hot(self) -> NDArray[np.bool_]:
        """Return which slots are surprising if no posts explain them; shape (2, slots)."""
        found = np.zeros((2, self.slots), bool)
        for window in filter(lambda window: window.warm, self.windows):
            for row in (0, 1):
                slots = np.flatnonzero(window.all_so_far(row) >= _least(window))
                score, _ = _score(window, row, slots, np.float32(1))
                found[row][slots[significant(score)]] = True
        return found

    def hot_at(self, slots: Slots) -> NDArray[np.bool_]:
        """Return the same for some slots, (2, k): whether both are; shape (k,)."""
        found = np.zeros(slots.shape, bool)
        for window in filter(lambda window: window.warm, self.windows):
            for row in (0, 1):
                at = np.flatnonzero(window.so_far(row, slots[row]) >= _least(window))
                score, _ = _score(window, row, slots[row][at], np.float32(1))
                found[row][at[significant(score)]] = True
        both: NDArray[np.bool_] = found[0] & found[1]
        return both

    def floors(self) -> list[float]:
        """Return what makes no difference, by window."""
        return [_floor(window) for window in self.windows]

    def usual_per_minute(self, slots: Slots) -> Floats:
        """Return what is usual by now, shape (windows, k), for slots (2, k)."""
        found = []
        for window in self.windows:
            mean = np.minimum(*(window.usual(row, slots[row])[0] for row in (0, 1)))
            found.append(mean * np.float32(30_000 / TICK_MS / window.half_ticks))
        return np.stack(found)

    def lifts(self) -> Floats:
        """Return how many times more posts than usual there are, 1 at least; (windows, SCOPES)."""
        found = []
        for window in self.windows:
            found.append(np.maximum(window.posts_so_far() / (window.usual_posts() + 1), 1))
        return np.stack(found).astype(np.float32)

    def unknown(self) -> NDArray[np.bool_]:
        """Return of which scopes too little is known; shape (SCOPES,)."""
        return self.posts_known < _KNOWN_POSTS

    def surprise(self, slots: Slots, lifts: Floats) -> tuple[Floats, Floats]:
        """Return significance, 0 where there is none, and the expected counts; (windows, k) both.

        slots: (2, k). lifts: (windows, k), what the expectation is raised by.
        """
        scores, means = [], []
        for window, lift in zip(self.windows, lifts, strict=True):
            rows = [_score(window, row, slots[row], lift) for row in (0, 1)]
            scores.append(np.minimum(rows[0][0], rows[1][0]) if window.warm else 0 * lift)
            means.append(np.minimum(rows[0][1], rows[1][1]))
        return np.stack(scores), np.stack(means)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state, for `restore`."""
        told: dict[str, NDArray[Any]] = {"pairs": self._pairs, "posts_known": self.posts_known}
        told["pairs_turned"] = np.array([self._pairs_set, self._pairs_ticks])
        for number, window in enumerate(self.windows):
            told |= {f"{number}.{name}": array for name, array in window.arrays().items()}
        return told

    def restore(self, told: Mapping[str, NDArray[Any]]) -> None:
        """Go on where `arrays` were taken."""
        self._pairs[:], self.posts_known[:] = told["pairs"], told["posts_known"]
        self._pairs_set, self._pairs_ticks = map(int, told["pairs_turned"])
        for number, window in enumerate(self.windows):
            window.restore(below(told, str(number)))

    def _pass(self, ticks: int) -> None:
        self._pairs_ticks += ticks
        if self._pairs_ticks >= _PAIRS_TICKS:
            self._turn_pairs()

    def _turn_pairs(self) -> None:
        self._pairs[:, 1] = self._pairs[:, 0]
        self._pairs[:, 0] = 0
        self._pairs_set = self._pairs_ticks = 0


def significant(scores: Floats) -> NDArray[np.bool_]:
    """Return which scores are."""
    return scores >= _SIGNIFICANT


def _score(
    window: Window, row: int, slots: Slots, lift: Floats | np.float32
) -> tuple[Floats, Floats]:
    mean, variance = window.usual(row, slots)
    mean, variance = mean * lift, variance * lift * lift
    counts = window.so_far(row, slots).astype(np.float32)
    floor = _floor(window)
    # Counts vary at least as Poisson's do, however even the few windows so far were.
    spread = np.sqrt(np.maximum(variance, mean)) + floor
    score = (counts - np.maximum(mean, floor)) / spread
    return np.where(counts >= _GROWTH * mean, np.maximum(score, 0), 0), mean


def _least(window: Window) -> float:
    return (1 + _SIGNIFICANT) * _floor(window)


def _floor(window: Window) -> float:
    posts = max(float(window.usual_posts()[0]), float(window.posts_so_far()[0]))
    return _LEAST + _LEAST_SHARE * posts
