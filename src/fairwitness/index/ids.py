"""Where the posts of a slice are by the hash of their id.

The hot slice knows its ids in a dict. A sealed one has its rows in the order of their hash, in a
file, and before that a filter in memory, 2 bytes a row, that says of nearly all unknown ids that
they are unknown: a post that comes is looked up in every slice, and is in none of them.
"""

from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing

_ROWS_A_WORD = 4
"""With 4 bits each in words of 64, one unknown id in some 200 passes the filter."""

_ORDER = "ids"
_NONE = np.zeros(0, np.int32)

Hashes = NDArray[np.uint64]


def id_hash(post_id: str) -> int:
    """Return the hash by which ids are found, 64 bits."""
    return xxhash.xxh64_intdigest(post_id.encode("utf-8", "surrogatepass"))


class SealedIds:
    """The ids of a slice that takes no more rows."""

    def __init__(self, folder: Path, id_hashes: Hashes, *, read_only: bool) -> None:
        """Open the order of `id_hashes`, one a row; make it first where a kill came before it."""
        self._hashes = id_hashes
        path = folder / _ORDER
        if not path.exists() and not read_only:
            _save(path, np.argsort(id_hashes, kind="stable").astype(np.int32))
        if path.exists():
            self._order = _load(path, len(id_hashes))
        else:  # a reader, while the writer is still at it
            self._order = np.argsort(id_hashes, kind="stable").astype(np.int32)
        self._filter = np.zeros(len(id_hashes) // _ROWS_A_WORD + 1, np.uint64)
        np.bitwise_or.at(self._filter, self._word(id_hashes), _bits(id_hashes))

    @staticmethod
    def forget(folder: Path) -> None:
        """Remove the order of a slice that takes rows again."""
        (folder / _ORDER).unlink(missing_ok=True)

    def newest(self, hashes: Hashes) -> NDArray[np.int64]:
        """Return the last row with each hash, -1 where there is none."""
        bits = _bits(hashes)
        rows = np.full(len(hashes), -1, np.int64)
        maybe = np.flatnonzero(self._filter[self._word(hashes)] & bits == bits)
        if not len(maybe):
            return rows
        wanted = hashes[maybe]
        # Equal hashes stand in row order, so the one before the right edge is the newest.
        at = np.searchsorted(self._hashes, wanted, side="right", sorter=self._order) - 1
        found = self._order[np.maximum(at, 0)].astype(np.int64)
        rows[maybe] = np.where((at >= 0) & (self._hashes[found] == wanted), found, -1)
        return rows

    def _word(self, hashes: Hashes) -> NDArray[np.int64]:
        return ((hashes >> np.uint64(32)) % np.uint64(len(self._filter))).astype(np.int64)


def _bits(hashes: Hashes) -> Hashes:
    one, low = np.uint64(1), np.uint64(63)
    bits = one << (hashes & low)
    for shift in (6, 12, 18):
        bits |= one << (hashes >> np.uint64(shift) & low)
    return bits


def _save(path: Path, order: NDArray[np.int32]) -> None:
    with replacing(path, sync=False) as file:
        file.write(order.tobytes() + xxhash.xxh3_64_digest(order.data))


def _load(path: Path, rows: int) -> NDArray[np.int32]:
    stored: NDArray[np.int32] = np.memmap(path, np.int32, "r") if path.stat().st_size else _NONE
    order = stored[:-2]
    if len(order) != rows or xxhash.xxh3_64_digest(order.data) != stored[-2:].tobytes():
        raise IndexCorrupt(path, f"not the order of {rows} rows")
    return order
