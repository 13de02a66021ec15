"""One window of a sketch: the counts in it so far, and what they usually come to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.averages import Averages, Floats

SCOPES = 1024
"""Scope 0 is all posts; each language is another."""

_HALF_LIFE_TICKS = 360  # 30 min: what doubles in less than 15 min grows threefold over its mean

Slots = NDArray[np.int64]


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
        self._touched: list[Slots] = []
        """By tick and row; emptied when looking at all is faster."""
        self._many = False
        self._touched_before: list[Slots] = [np.zeros(0, np.int64)] * 2

    @property
    def warm(self) -> bool:
        """Whether enough has passed to know what is usual."""
        return self._usual.windows >= self._warm

    def so_far(self, row: int, slots: Slots) -> NDArray[np.uint32]:
        """Return the counts of both halves, shape (k,)."""
        counts: NDArray[np.uint32] = self.counts[row][slots] + self._before[row][slots]
        return counts

    def usual(self, row: int, slots: Slots) -> tuple[Floats, Floats]:
        """Return mean and variance of earlier counts of two halves, shape (k,) both."""
        mean, variance = self._usual.at(row, slots)
        return 2 * mean, 2 * variance

    def posts_so_far(self) -> NDArray[np.uint32]:
        """Return the posts of both halves, shape (SCOPES,)."""
        return self.posts + self._posts_before

    def usual_posts(self) -> Floats:
        """Return the mean of earlier posts of two halves, shape (SCOPES,)."""
        return 2 * self._volume.at(0, slice(None))[0]

    def touch(self, touched: Sequence[Slots]) -> None:
        """Remember which slots are counted in, each row's once."""
        if self._many:
            return
        self._touched += touched
        if sum(map(len, self._touched)) > self.counts.shape[1] // 4:
            self._touched, self._many = [], True

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
        for row, (now, before) in enumerate(zip(self._slots(), self._touched_before, strict=True)):
            self.counts[row][now] = 0
            self._before[row][before] = 0
        self._touched_before = [np.zeros(0, np.int64)] * 2
        self.posts[:] = self._posts_before[:] = 0
        self._passed = 0

    def _slide(self) -> None:
        """Let the averages know the half before, which this one takes the place of."""
        touched = self._slots()
        for row, (now, before) in enumerate(zip(touched, self._touched_before, strict=True)):
            self._usual.add(row, before, self._before[row][before])
            self._before[row][before] = 0
            self._before[row][now] = self.counts[row][now]
            self.counts[row][now] = 0
        self._touched_before = touched
        scopes = np.flatnonzero(self._posts_before)
        self._volume.add(0, scopes, self._posts_before[scopes])
        self._posts_before[:] = self.posts
        self.posts[:] = 0
        self._usual.close()
        self._volume.close()
        self._passed = 0

    def _slots(self) -> list[Slots]:
        """Return the slots of each row that are counted in, and forget them."""
        touched, many = self._touched, self._many
        self._touched, self._many = [], False
        if many:
            return [np.flatnonzero(row) for row in self.counts]
        if not touched:
            return [np.zeros(0, np.int64)] * 2
        if len(touched) == 2:
            return touched
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
        self._touched, self._many = [], True
        self._touched_before = [np.flatnonzero(row) for row in self._before]
        self._usual.restore(below(told, "usual"))
        self._volume.restore(below(told, "volume"))


def below(told: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with `name.`, without it."""
    begin = f"{name}."
    return {key.removeprefix(begin): told[key] for key in told if key.startswith(begin)}
