"""The codes of 256 bits nearest to a query, in some lists of many slices: one call for them all.

A slice that grows has its codes in the order of rows, and a number says which list each is in; one
that is sealed has them list after list, and within one in the order of rows. There two bytes tell a
row, and where each stretch of 65,536 rows begins in each list tells the rest.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import hamming, native
from fairwitness.kernels.hamming import Near

STRETCH_ROWS = 1 << 16

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class ListsView(ctypes.Structure):
    """csrc/lists.cpp has the same."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("codes", "list_of", "starts", "rows")),
        *((name, ctypes.c_int64) for name in ("size", "lists", "stretches")),
    )


class Lists:
    """The codes of a slice, shape (n, 32), in memory or mapped. Made by `growing` or `sealed`."""

    def __init__(
        self,
        codes_nb: NDArray[np.uint8],
        lists: int,
        list_of_n: NDArray[np.uint16] | None,
        starts: Numbers | None,
        rows_n: NDArray[np.uint16] | None,
    ) -> None:
        """Use `growing` or `sealed`."""
        self.codes_nb, self.list_of_n, self.starts, self.rows_n = (
            codes_nb,
            list_of_n,
            starts,
            rows_n,
        )
        self.stretches = max(-(-len(codes_nb) // STRETCH_ROWS), 1)
        arrays: list[NDArray[Any] | None] = [codes_nb, list_of_n, starts, rows_n]
        places = (None if array is None else native.at(array) for array in arrays)
        self.view = ListsView(*places, len(codes_nb), lists, self.stretches)

    @classmethod
    def growing(
        cls, codes_nb: NDArray[np.uint8], lists: int, list_of_n: NDArray[np.uint16]
    ) -> "Lists":
        """Return codes in the order of rows; `list_of_n` says which of the lists each is in."""
        assert len(list_of_n) == len(codes_nb)
        return cls(codes_nb, lists, list_of_n, None, None)

    @classmethod
    def sealed(
        cls, codes_nb: NDArray[np.uint8], starts: Numbers, rows_n: NDArray[np.uint16]
    ) -> "Lists":
        """Return codes list by list.

        `starts`: where each stretch of rows begins in each list, and where the last one ends.
        `rows_n`: which row of its stretch each is.
        """
        assert len(rows_n) == len(codes_nb)
        stretches = max(-(-len(codes_nb) // STRETCH_ROWS), 1)
        return cls(codes_nb, (len(starts) - 1) // stretches, None, starts, rows_n)

    def held(self, chosen: Numbers) -> tuple[Numbers, NDArray[np.uint8]]:
        """Return the rows of some lists, and their codes."""
        if self.list_of_n is not None:
            places = np.flatnonzero(np.isin(self.list_of_n, chosen))
            return places, self.codes_nb[places]
        assert self.starts is not None
        assert self.rows_n is not None
        cells = (chosen[:, None] * self.stretches + np.arange(self.stretches)).ravel()
        counts = self.starts[cells + 1] - self.starts[cells]
        rows: Numbers = np.repeat(cells % self.stretches * STRETCH_ROWS, counts)
        begins = np.repeat(self.starts[cells] - np.cumsum(counts) + counts, counts)
        places = begins + np.arange(len(begins))
        rows += self.rows_n[places]
        return rows, self.codes_nb[places]


def nearest(
    slices: Sequence[Lists],
    chosen: Numbers,
    counts: Numbers,
    query_b: NDArray[np.uint8],
    k: int,
    *,
    allowed: Sequence[Mask | None],
    limit: int = hamming.BITS,
) -> list[Near]:
    """Return of each slice its rows that are the k nearest to a query in the chosen lists.

    Of slices before the last ones, those that cannot be among the k nearest of all are left out. A
    blank code is never found.

    Args:
        slices: Oldest first.
        chosen: Numbers of lists, those of one slice after those of another.
        counts: How many of them are of each slice.
        query_b: What to look for, 32 bytes.
        k: How many, at least one.
        allowed: Which rows of each slice may be found, a bool for each; None for all.
        limit: In how many bits one may differ.
    """
    chosen, counts = (np.ascontiguousarray(each, np.int64) for each in (chosen, counts))
    assert counts.sum() == len(chosen)
    assert len(counts) == len(slices) == len(allowed)
    library = native.library()
    if library is None:
        return _plainly(
            slices, np.split(chosen, np.cumsum(counts)[:-1]), query_b, k, allowed, limit
        )
    for each, mask in zip(slices, allowed, strict=True):
        assert mask is None or len(mask) >= len(each.codes_nb)
    found, room = np.empty(len(slices), np.int64), len(slices) * k
    rows, distances = np.empty(room, np.int64), np.empty(room, np.int32)
    pointers = ctypes.c_void_p * len(slices)
    library.fw_lists_nearest(
        pointers(*(ctypes.addressof(each.view) for each in slices)),
        pointers(*(None if mask is None else mask.ctypes.data for mask in allowed)),
        native.count(len(slices)),
        native.at(chosen),
        native.at(counts),
        native.at(query_b),
        native.count(k),
        native.count(limit),
        native.at(found),
        native.at(rows),
        native.at(distances),
    )
    stretches = [slice(at * k, at * k + count) for at, count in enumerate(found.tolist())]
    return [Near(rows[each], distances[each]) for each in stretches]


def _plainly(
    slices: Sequence[Lists],
    chosen: Sequence[Numbers],
    query_b: NDArray[np.uint8],
    k: int,
    allowed: Sequence[Mask | None],
    limit: int,
) -> list[Near]:
    found: list[Near] = []
    known = np.empty(0, np.int32)
    for each, lists, mask in reversed(list(zip(slices, chosen, allowed, strict=True))):
        rows, codes_nb = each.held(lists)
        (far,) = hamming.distances([codes_nb], query_b)
        kept = codes_nb.any(axis=1) & (far <= (limit if len(known) < k else known[-1]))
        if mask is not None:
            kept &= mask[rows]
        rows, far = rows[kept], far[kept]
        best = np.lexsort((rows, far))[:k]
        found.append(Near(rows[best], far[best]))
        known = np.sort(np.concatenate([known, far[best]]))[:k]
    return found[::-1]
