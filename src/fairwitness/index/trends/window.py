"""One window of a sketch: the counts in it so far, and what they usually come to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.averages import Averages, Floats

SCOPES = 1024
"""Scope 0 is all posts; each language is another."""

# 1 h. What doubles r times in a half-life is sqrt(1 + 2 r) deviations above its own past, and noise
# adds two: what doubles in 24 min, as `good morning` may, stays below five; in 8 min it does not.
_HALF_LIFE_TICKS = 720

Slots = NDArray[np.int64]
Touched = list[Slots] | None
"""Slots of the first and of the second row, and so on; None when it is faster to look at all."""


class Window:
    """A window that slides by half its length: the half before, and this one so far.

    What is usual is learnt from the halves before both, so what begins now is not yet usual.
    """

    def __init__(self, ticks: int, slots: int, warm: int) -> None:
        self.half_ticks = ticks
        self.counts = np.zeros((2, slots), np.uint32)
        self.posts = np.zeros(SCOPES, np.uint32)
        self._before = np.zeros((2, slots), np.uint32)
        self._posts_before = np.zeros(SCOPES, np.uint32)
        self._usual = Averages((2, slots), _HALF_LIFE_TICKS / ticks)
        self._volume = Averages((1, SCOPES), _HALF_LIFE_TICKS / ticks)
        self._passed = 0
        """Ticks of this half that are over."""
        self._warm = warm
        self._touched: Touched = []
        """By tick and row."""
        self._touched_before: Touched = _nothing()

    @property
    def warm(self) -> bool:
        """Whether enough has passed to know what is usual."""
        return self._usual.windows >= self._warm

    def so_far(self, row: int, slots: Slots) -> NDArray[np.uint32]:
        """Return the counts of both halves, shape (k,)."""
        counts: NDArray[np.uint32] = self.counts[row][slots] + self._before[row][slots]
        return counts

    def all_so_far(self, row: int) -> NDArray[np.uint32]:
        """Return the counts of both halves of all slots of a row."""
        counts: NDArray[np.uint32] = self.counts[row] + self._before[row]
        return counts

    def usual(self, row: int, slots: Slots) -> tuple[Floats, Floats]:
        """Return mean and variance of earlier counts of two halves, shape (k,) both.

        The mean is as if there had been one more, for what was never said may be rare as well.
        """
        mean, variance = self._usual.at(row, slots)
        one_more = np.float32(1 / max(1.0, self._usual.learnt))
        return 2 * (mean + one_more), 2 * variance

    def posts_so_far(self) -> NDArray[np.uint32]:
        """Return the posts of both halves, shape (SCOPES,)."""
        return self.posts + self._posts_before

    def usual_posts(self) -> Floats:
        """Return the mean of earlier posts of two halves, shape (SCOPES,)."""
        return 2 * self._volume.at(0, slice(None))[0]

    def touch(self, touched: Touched) -> None:
        """Remember which slots are counted in, each row's once."""
        if touched is None or self._touched is None:
            self._touched = None
            return
        self._touched += touched
        if sum(map(len, self._touched)) > self.counts.shape[1] // 8:
            self._touched = None

    def pass_tick(self) -> None:
        """Count a tick as over, and this half with its last one."""
        self._passed += 1
        if self._passed == self.half_ticks:
            self._slide()

    def skip(self, ticks: int) -> None:
        """Let ticks pass in which nothing was said."""
        slid = 0
        while ticks and (slid < 2 or self._passed):
            step = min(ticks, self.half_ticks - self._passed)
            ticks -= step
            slid += step + self._passed == self.half_ticks
            self._passed += step - 1
            self.pass_tick()
        empty, self._passed = divmod(ticks, self.half_ticks) if ticks else (0, self._passed)
        self._usual.skip(empty)
        self._volume.skip(empty)

    def drop(self) -> None:
        """Forget both halves, which were not heard in whole."""
        for counts in (self.counts, self._before, self.posts, self._posts_before):
            counts[:] = 0
        self._touched, self._touched_before = [], _nothing()
        self._passed = 0

    def _slide(self) -> None:
        """Let the averages know the half before, which this one takes the place of."""
        touched = self._slots()
        for row in (0, 1):
            self._learn(row, None if self._touched_before is None else self._touched_before[row])
            self._follow(row, None if touched is None else touched[row])
        self._touched_before = touched
        self._volume.add_all(0, self._posts_before)
        self._posts_before[:] = self.posts
        self.posts[:] = 0
        self._usual.close()
        self._volume.close()
        self._passed = 0

    def _learn(self, row: int, slots: Slots | None) -> None:
        if slots is None:
            self._usual.add_all(row, self._before[row])
            self._before[row] = 0
        else:
            self._usual.add(row, slots, self._before[row][slots])
            self._before[row][slots] = 0

    def _follow(self, row: int, slots: Slots | None) -> None:
        if slots is None:
            self._before[row] = self.counts[row]
            self.counts[row] = 0
        else:
            self._before[row][slots] = self.counts[row][slots]
            self.counts[row][slots] = 0

    def _slots(self) -> Touched:
        """Return the slots of each row that are counted in, and forget them."""
        touched, self._touched = self._touched, []
        if touched is None or len(touched) == 2:
            return touched
        if not touched:
            return _nothing()
        return [np.unique(np.concatenate(touched[row::2])) for row in (0, 1)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state, for `restore`."""
        told: dict[str, NDArray[Any]] = {"counts": self.counts, "posts": self.posts}
        told |= {"counts_before": self._before, "posts_before": self._posts_before}
        told["passed"] = np.array([self._passed])
        told |= {f"usual.{name}": array for name, array in self._usual.arrays().items()}
        return told | {f"volume.{name}": array for name, array in self._volume.arrays().items()}

    def restore(self, told: Mapping[str, NDArray[Any]]) -> None:
        """Go on where `arrays` were taken."""
        self.counts[:], self.posts[:] = told["counts"], told["posts"]
        self._before[:], self._posts_before[:] = told["counts_before"], told["posts_before"]
        self._passed = int(told["passed"][0])
        self._touched = self._touched_before = None
        self._usual.restore(below(told, "usual"))
        self._volume.restore(below(told, "volume"))


def _nothing() -> Touched:
    return [np.zeros(0, np.int64), np.zeros(0, np.int64)]


def below(told: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with `name.`, without it."""
    begin = f"{name}."
    return {key.removeprefix(begin): told[key] for key in told if key.startswith(begin)}
