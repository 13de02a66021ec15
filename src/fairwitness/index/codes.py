"""Codes of meaning, searched: all of them one by one, or list by list once they cannot change.

A code is 256 bits, and two texts that mean alike differ in few of them. Codes are put into lists of
similar ones, and a search looks into the lists that are nearest to the question (an inverted file:
Jegou, Douze and Schmid 2011, here in Hamming space). While a slice grows its codes lie in the order
of rows and a number says which list each is in; when it is sealed they are sorted. What the lists
are about was learned from the slice before; the first one has a single list until it is sealed.

A code that is all zeros is never found. Zeros are also what a deletion leaves.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing
from fairwitness.kernels import hamming
from fairwitness.kernels.hamming import CODE_BYTES, Near
from fairwitness.kernels.lists import STRETCH_ROWS, Lists, nearest

Codes = NDArray[np.uint8]
"""Shape (n, CODE_BYTES)."""

_MAGIC = b"fwcodes2"
_HEADER = struct.Struct("<8sqq8x")  # magic, rows, lists; 32 bytes, so that what follows is aligned
_LISTS_MAX = 512
_SAMPLE_PER_LIST = 32
_TURNS = 4


def lists_of(codes: Codes, centres: Codes) -> NDArray[np.uint16]:
    """Return which list each code belongs into, 1 µs each."""
    if len(centres) == 1:
        return np.zeros(len(codes), np.uint16)
    return hamming.assign(np.ascontiguousarray(codes), centres).astype(np.uint16)


def forget(codes: Codes, rows: Sequence[int] | NDArray[np.int64]) -> None:
    """Destroy the codes of `rows`, on the disk too when `codes` is mapped from there."""
    codes[rows] = 0
    if isinstance(codes, np.memmap):
        codes.flush()


@dataclass(frozen=True, eq=False)
class Growing:
    """The codes of a slice that grows."""

    centres: Codes
    """What each list is about, shape (lists, CODE_BYTES)."""
    codes: Codes
    lists: NDArray[np.uint16]
    """Which list each code is in."""

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.codes)

    def nearest(
        self,
        query: NDArray[np.uint8],
        k: int,
        lists: NDArray[np.intp],
        allowed: NDArray[np.bool_] | None = None,
        limit: int = hamming.BITS,
    ) -> Near:
        """Return the k nearest rows of `lists`; see `Inverted.nearest`."""
        return _nearest(self.listed, query, k, lists, allowed, limit)

    @cached_property
    def listed(self) -> Lists:
        """The same as the kernel takes it."""
        return Lists.growing(self.codes, len(self.centres), self.lists)


@dataclass(frozen=True, eq=False)
class Inverted:
    """The codes of a sealed slice, 34 bytes a row."""

    centres: Codes
    """What each list is about, shape (lists, CODE_BYTES)."""
    starts: NDArray[np.int64]
    """Where the codes of each stretch of 65,536 rows begin in each list, list after list, and where
    the last ends; shape (lists * stretches + 1,)."""
    codes: Codes
    """List after list; within one, in the order of rows."""
    rows: NDArray[np.uint16]
    """Which row of its stretch each code is of."""

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.codes)

    @classmethod
    def build(cls, centres: Codes, codes: Codes, lists: NDArray[np.uint16]) -> "Inverted":
        """Sort codes, given which list each is in; 50 bytes of memory a row."""
        stretches = _stretches(len(codes))
        order = np.argsort(lists, kind="stable")
        cells = lists.astype(np.int64) * stretches + np.arange(len(codes)) // STRETCH_ROWS
        counts = np.bincount(cells, minlength=len(centres) * stretches)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = (order % STRETCH_ROWS).astype(np.uint16)
        return cls(centres, starts, np.ascontiguousarray(codes[order]), rows)

    def save(self, path: Path) -> None:
        """Write everything to `path`, whole or not at all."""
        with replacing(path) as file:
            file.write(_HEADER.pack(_MAGIC, len(self.rows), len(self.centres)))
            for array in (self.centres, self.starts, self.codes, self.rows):
                file.write(np.ascontiguousarray(array).data)

    @classmethod
    def open(cls, path: Path, *, read_only: bool) -> "Inverted":
        """Map a saved one; raise IndexCorrupt when it is not what `save` wrote."""
        data = np.memmap(path, np.uint8, "r" if read_only else "r+")
        if len(data) < _HEADER.size:
            raise IndexCorrupt(path, f"{len(data)} bytes are no codes")
        magic, rows, lists = _HEADER.unpack(data[: _HEADER.size].tobytes())
        cells = lists * _stretches(rows)
        sizes = (lists * CODE_BYTES, (cells + 1) * 8, rows * CODE_BYTES, rows * 2)
        ends = (_HEADER.size + np.cumsum(sizes)).tolist()
        if magic != _MAGIC or len(data) != ends[-1]:
            raise IndexCorrupt(path, f"{len(data)} bytes are no codes of {rows} rows")
        return cls(
            data[_HEADER.size : ends[0]].reshape(-1, CODE_BYTES),
            data[ends[0] : ends[1]].view(np.int64),
            data[ends[1] : ends[2]].reshape(-1, CODE_BYTES),
            data[ends[2] :].view(np.uint16),
        )

    def nearest(
        self,
        query: NDArray[np.uint8],
        k: int,
        lists: NDArray[np.intp],
        allowed: NDArray[np.bool_] | None = None,
        limit: int = hamming.BITS,
    ) -> Near:
        """Return the k rows of `lists` that are nearest to `query`, among those that are `allowed`
        and differ in no more than `limit` bits."""
        return _nearest(self.listed, query, k, lists, allowed, limit)

    @cached_property
    def listed(self) -> Lists:
        """The same as the kernel takes it."""
        return Lists.sealed(self.codes, self.starts, self.rows)

    def code_of(self, rows: NDArray[np.int64]) -> Codes:
        """Return the codes of `rows`; the first call sorts, 4 bytes of memory a row."""
        return self.codes[self._places[rows]]

    def starts_of(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where in the file that `save` writes the codes of `rows` begin."""
        before = _HEADER.size + self.centres.nbytes + self.starts.nbytes
        return before + CODE_BYTES * self._places[rows]

    def forget(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Destroy the codes of `rows`, on the disk too when this was opened from there.

        In which list each stood stays known until the slice is written anew.
        """
        forget(self.codes, self._places[rows])

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        cells = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        places = np.empty(self.size, np.int64)
        places[cells % _stretches(self.size) * STRETCH_ROWS + self.rows] = np.arange(self.size)
        return places


def _nearest(
    held: Lists,
    query: NDArray[np.uint8],
    k: int,
    lists: NDArray[np.intp],
    allowed: NDArray[np.bool_] | None,
    limit: int,
) -> Near:
    counts = np.array([len(lists)])
    return nearest([held], lists, counts, query, k, allowed=[allowed], limit=limit)[0]


def _stretches(rows: int) -> int:
    return max(-(-rows // STRETCH_ROWS), 1)


def centres_of(codes: Codes) -> Codes:
    """Return what lists of codes like these should be about, in 0.1 s for a million.

    It is k-means of a sample, where a mean is a vote on each bit.
    """
    lists = min(_LISTS_MAX, max(1, int(np.sqrt(len(codes)))))
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.permutation(len(codes))[: lists * _SAMPLE_PER_LIST])
    sample = np.ascontiguousarray(codes[drawn])
    sample = sample[sample.any(axis=1)]
    if not len(sample):
        return np.zeros((1, CODE_BYTES), np.uint8)
    centres = sample[rng.permutation(len(sample))[:lists]]
    bits = np.unpackbits(sample, axis=1)
    for _ in range(_TURNS):
        chosen = hamming.assign(sample, centres)
        order = np.argsort(chosen, kind="stable")
        used, first, counts = np.unique(chosen[order], return_index=True, return_counts=True)
        votes = np.add.reduceat(bits[order], first, axis=0, dtype=np.int32)
        centres[used] = np.packbits(2 * votes > counts[:, None], axis=1)
    return centres
