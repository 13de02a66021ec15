"""Mean and variance of counts, the newest weighing most, for many slots at once.

Instead of all sums shrinking with each window, the weight of the next window grows (forward decay:
Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009), so a slot in which nothing was counted costs
nothing, however many windows pass.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEAVIEST = 2.0**40

Floats = NDArray[np.float32]
Where = NDArray[np.int64] | slice


class Averages:
    """Of each slot the weighted sums of its counts and of their squares."""

    def __init__(self, shape: tuple[int, int], half_life: float) -> None:
        """Begin knowing nothing; after `half_life` windows a count weighs half."""
        self.sums = np.zeros(shape, np.float32)
        self.squares = np.zeros(shape, np.float32)
        self.windows = 0
        """How many have passed."""
        self.weight = 1.0
        """Of the window at hand."""
        self.total = 0.0
        """All weights so far."""
        self._growth: float = 2.0 ** (1 / half_life)

    def add(self, row: int, slots: NDArray[np.int64], counts: NDArray[np.uint32]) -> None:
        """Add the counts of the window at hand; no slot twice."""
        told = counts.astype(np.float32)
        weighted = told * np.float32(self.weight)
        self.sums[row][slots] += weighted
        self.squares[row][slots] += weighted * told

    def add_all(self, row: int, counts: NDArray[np.uint32]) -> None:
        """Add the counts of all slots of a row, shape (slots,)."""
        told = counts.astype(np.float32)
        weighted = told * np.float32(self.weight)
        self.sums[row] += weighted
        weighted *= told
        self.squares[row] += weighted

    def close(self) -> None:
        """End the window at hand: what was not added was 0."""
        self.skip(1)

    def skip(self, windows: int) -> None:
        """Let windows pass with nothing in them but what was added to the one at hand."""
        # The sum of a geometric series: weight * (1 + growth + … + growth ** (windows - 1)).
        factor = self._growth**windows
        self.total += self.weight * (factor - 1) / (self._growth - 1)
        self.weight *= factor
        self.windows += windows
        while self.weight > _HEAVIEST:
            for sums in (self.sums, self.squares):
                sums *= np.float32(1 / _HEAVIEST)
            self.weight /= _HEAVIEST
            self.total /= _HEAVIEST

    @property
    def learnt(self) -> float:
        """How many windows the averages are worth: all at first, the half-life's share at last."""
        return self.total * self._growth / self.weight

    def at(self, row: int, slots: Where) -> tuple[Floats, Floats]:
        """Return mean and variance over all windows that have passed; 0 before the first."""
        scale = np.float32(1 / self.total if self.total else 0)
        mean = self.sums[row][slots] * scale
        return mean, np.maximum(self.squares[row][slots] * scale - mean * mean, 0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state, for `restore`."""
        numbers = np.array([self.windows, self.weight, self.total], np.float64)
        return {"sums": self.sums, "squares": self.squares, "numbers": numbers}

    def restore(self, told: Mapping[str, NDArray[Any]]) -> None:
        """Go on where `arrays` were taken."""
        self.sums[:], self.squares[:] = told["sums"], told["squares"]
        windows, self.weight, self.total = told["numbers"].tolist()
        self.windows = int(windows)
