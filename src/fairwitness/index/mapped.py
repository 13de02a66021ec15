"""Arrays of numbers in one file that is mapped into memory.

Every array has room for so many rows; the file is sparse, and room on the disk is reserved before
a row is stored to, since a store into a mapped hole of a full disk kills the process. What was
never stored reads as 0. A store of a number is whole: readers, in other processes too, see the old
one or the new one.
"""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import xxhash
from numpy.typing import DTypeLike

from fairwitness.index.errors import IndexCorrupt, room_on_disk

_ALIGN_BYTES = 64
_STRETCH_ROWS = 4_096
"""Rows for which room is reserved together: a page of the disk for the narrowest array."""


Fields = dict[str, DTypeLike]
Stretch = tuple[int, int]
"""A part of a file: where it begins, and its length, in bytes."""


class Mapped:
    """The arrays that a class names by annotation, `name: NDArray[np.type]`, set as attributes."""

    FIELDS: ClassVar[Fields]
    """Name and type of each array, in the order of the file."""

    def __init__(self, path: Path, rows_max: int, *, read_only: bool) -> None:
        """Map `path`, made first if there is none. Raises IndexCorrupt for a file of other size."""
        self.path = path
        self._rows_max = rows_max
        self._reserved = np.zeros(-(-rows_max // _STRETCH_ROWS), bool)
        size_bytes = self.bytes_for(rows_max)
        self._fd = os.open(path, os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT, 0o644)
        on_disk_bytes = os.fstat(self._fd).st_size
        if on_disk_bytes == 0 and not read_only:
            os.ftruncate(self._fd, size_bytes)  # sparse: costs nothing until reserved
        elif on_disk_bytes != size_bytes:
            os.close(self._fd)
            raise IndexCorrupt(path, f"{on_disk_bytes} bytes where columns take {size_bytes}")
        access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
        self._map = mmap.mmap(self._fd, size_bytes, access=access)
        for name, kind, start in self._layout(rows_max):
            setattr(self, name, np.frombuffer(self._map, kind, rows_max, start))

    @classmethod
    def bytes_for(cls, rows_max: int) -> int:
        """Return how long the file is."""
        *_, (_, kind, start) = cls._layout(rows_max)
        return start + rows_max * kind.itemsize

    def reserve(self, first: int, count: int) -> None:
        """Make sure that rows can be stored to; raise IndexDiskFull with nothing changed."""
        start, end = first // _STRETCH_ROWS, (first + count - 1) // _STRETCH_ROWS + 1
        for stretch in np.flatnonzero(~self._reserved[start:end]) + start:
            self._reserve_stretch(int(stretch))

    def hash_of(self, rows: int) -> int:
        """Return a hash of the first rows of all arrays, which were stored to; 0 for none."""
        digest = xxhash.xxh3_64()
        for name in self.FIELDS if rows else ():
            digest.update(getattr(self, name)[:rows])
        return digest.intdigest() if rows else 0

    def stretches(self, rows: int) -> Iterator[Stretch]:
        """Say where in the file the first rows of each array are."""
        for _, kind, start in self._layout(self._rows_max):
            yield start, rows * kind.itemsize

    def sync(self) -> None:
        """Return once every store would survive a power cut."""
        with room_on_disk(self.path):
            self._map.flush()

    def close(self) -> None:
        """Let go of the file; the map itself goes with the last array that looks at it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    @classmethod
    def _layout(cls, rows_max: int) -> Iterator[tuple[str, np.dtype[np.generic], int]]:
        start = 0
        for name, kind in cls.FIELDS.items():
            dtype: np.dtype[np.generic] = np.dtype(kind)
            yield name, dtype, start
            start += -(-rows_max * dtype.itemsize // _ALIGN_BYTES) * _ALIGN_BYTES

    def _reserve_stretch(self, stretch: int) -> None:
        first = stretch * _STRETCH_ROWS
        count = min(_STRETCH_ROWS, self._rows_max - first)
        with room_on_disk(self.path):
            for _, kind, start in self._layout(self._rows_max):
                size = kind.itemsize
                os.posix_fallocate(self._fd, start + first * size, count * size)
        self._reserved[stretch] = True
