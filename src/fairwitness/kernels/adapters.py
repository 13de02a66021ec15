"""What an adapter adds to the products of a decoder, as the native step takes it.

Each product is of a large matrix W and a vector x; an adapter adds up(down(x)), where `down` has a
few rows and `up` as few columns (LoRA, arXiv 2106.09685). Requests with different adapters and with
none run in one step, for each row goes by its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.quantised import ROWS

PRODUCTS = ("heads", "out", "gate_up", "down")  # `enum Product` in csrc/decoder.h
_RANKS = 4  # ranks are whole fours there

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Low:
    """What is added to one product: `up` has the rows of the matrices as `LayerWeights` has them,
    query, key and value below each other."""

    down_ri: Floats
    up_or: Floats


class Adapter:
    """Pairs for the products of all layers, or None where nothing is added."""

    def __init__(self, layers: Sequence[Sequence[Low | None]]) -> None:
        """Each layer has one entry for each of `PRODUCTS`."""
        self._held: list[NDArray[np.generic]] = []  # the native side points to them
        told = [self._told(low) for layer in layers for low in layer]
        assert all(len(layer) == len(PRODUCTS) for layer in layers)
        self._table = np.array(told, np.int64)
        self.most_rank = int(self._table[:, 0].max())

    @property
    def address(self) -> int:
        """Where it stands in memory."""
        return self._table.ctypes.data

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return sum(array.nbytes for array in self._held)

    def _told(self, low: Low | None) -> tuple[int, int, int, int, int]:
        """Rank, columns, and the addresses of down, up and spans, as `struct Low` has them."""
        if low is None:
            return 0, 0, 0, 0, 0
        rank, columns = low.down_ri.shape
        rows, spare = len(low.up_or), -rank % _RANKS
        assert low.up_or.shape == (rows, rank)
        assert rows % ROWS == 0
        down = np.pad(low.down_ri, ((0, spare), (0, 0)))
        up = np.pad(low.up_or, ((0, 0), (0, spare))).reshape(rows // ROWS, ROWS, -1)
        arrays = (_floats(down), _floats(up.swapaxes(1, 2)), _spans(up))
        self._held += arrays
        addresses = [array.ctypes.data for array in arrays]
        return rank + spare, columns, addresses[0], addresses[1], addresses[2]


def _spans(up_por: Floats) -> NDArray[np.int32]:
    """For each panel the first of the numbers that it takes, and the end: a matrix of several
    parts has zeros where a part takes none of another's."""
    takes_pr = (up_por != 0).any(axis=1)
    ranks = takes_pr.shape[1]
    first_p = takes_pr.argmax(axis=1)
    end_p = ranks - takes_pr[:, ::-1].argmax(axis=1)
    end_p = np.where(takes_pr.any(axis=1), end_p, first_p)
    return np.ascontiguousarray(np.stack([first_p, end_p], axis=1), np.int32)


def _floats(array: Floats) -> Floats:
    return np.ascontiguousarray(array, np.float32)
