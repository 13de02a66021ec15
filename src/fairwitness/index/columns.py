"""The columns of a slice: one number per row and name, in one file that is mapped into memory.

A row is one version of one post. Rows are added in order; afterwards only a few columns change
(`until_ms`, `next`, `flags`, the engagement), each by whole 8- or 4-byte stores, so readers need
no lock.
"""

import mmap
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt, room_on_disk

GONE = 1
"""Flag: deleted, by itself or with its account. Honoured for every moment, the past too."""
WIPED = 2
"""Flag: gone, and its text is physically overwritten."""
WITH_ACCOUNT = 4
"""Flag: gone only because its account is; an account that returns may say the post again."""
LINKED = 8
"""Flag: it has a link."""
REPLY = 16
"""Flag: it answers another post."""
REPOST = 32
"""Flag: it repeats another post whole."""

_Code = Literal["Q", "q", "I", "i"]
_RESERVE_ROWS = 16_384
_KIND: dict[_Code, type[np.integer[Any]]] = {
    "Q": np.uint64,
    "q": np.int64,
    "I": np.uint32,
    "i": np.int32,
}


class Row(NamedTuple):
    """The columns, in the order of the file: 8-byte ones first, so that all are aligned."""

    id_hash: int
    text_hash: int
    author_hash: int
    """Of the network and the account id."""
    account_hash: int
    """Of the account id alone, for a search by author."""
    handle_hash: int
    """Of the handle, case folded."""
    since_ms: int
    """When we saw this version."""
    until_ms: int
    """When a later version took its place; FOREVER_MS while none has."""
    made_ms: int
    """The post's time: as claimed, but not after we first saw it. Once the row is gone with its
    account, when that was."""
    next: int
    """Ordinal of the version that took its place, -1 while none has."""
    prev: int
    """Ordinal of the row before it with the same `id_hash`, -1 when it is the first."""
    offset: int
    """Where its record begins in the texts: the id in UTF-8, then the post in msgpack."""
    report: int
    """Number of its newest engagement report, -1 when there is none."""
    counted_ms: int
    """When that report was seen."""
    views: int
    likes: int
    reposts: int
    replies: int
    id_bytes: int
    post_bytes: int
    network: int
    lang: int
    flags: int


_UNSIGNED: tuple[_Code, ...] = ("Q",) * 5
_SIGNED: tuple[_Code, ...] = ("q",) * 9
_COUNTS: tuple[_Code, ...] = ("i",) * 3
_SMALL: tuple[_Code, ...] = ("I",) * 5
_CODES = _UNSIGNED + _SIGNED + _COUNTS + _SMALL
ROW_BYTES = sum(np.dtype(_KIND[code]).itemsize for code in _CODES)
COUNT_MAX = 2**31 - 1
"""The most likes, reposts or replies that a column can say."""


class Columns:
    """Arrays of `rows_max` numbers each; those from the row count on mean nothing yet."""

    id_hash: NDArray[np.uint64]
    text_hash: NDArray[np.uint64]
    author_hash: NDArray[np.uint64]
    account_hash: NDArray[np.uint64]
    handle_hash: NDArray[np.uint64]
    since_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]
    made_ms: NDArray[np.int64]
    next: NDArray[np.int64]
    prev: NDArray[np.int64]
    offset: NDArray[np.int64]
    report: NDArray[np.int64]
    counted_ms: NDArray[np.int64]
    views: NDArray[np.int64]
    likes: NDArray[np.int32]
    reposts: NDArray[np.int32]
    replies: NDArray[np.int32]
    id_bytes: NDArray[np.uint32]
    post_bytes: NDArray[np.uint32]
    network: NDArray[np.uint32]
    lang: NDArray[np.uint32]
    flags: NDArray[np.uint32]

    def __init__(self, path: Path, rows_max: int, rows: int, *, read_only: bool) -> None:
        """Map `path`, made first if there is none; `rows` of it are in use."""
        self.path = path
        self._rows_max = rows_max
        self._reserved = rows
        self._fd = os.open(path, os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT, 0o644)
        size_bytes = rows_max * ROW_BYTES
        on_disk_bytes = os.fstat(self._fd).st_size
        if on_disk_bytes == 0 and rows == 0 and not read_only:
            os.ftruncate(self._fd, size_bytes)  # sparse: costs nothing until reserved
        elif on_disk_bytes != size_bytes:
            os.close(self._fd)
            raise IndexCorrupt(path, f"{on_disk_bytes} bytes where columns take {size_bytes}")
        access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
        self._map = mmap.mmap(self._fd, size_bytes, access=access)
        self._cells: list[memoryview[int]] = []
        self._starts: list[tuple[int, int]] = []
        start = 0
        for name, code in zip(Row._fields, _CODES, strict=True):
            item_bytes = np.dtype(_KIND[code]).itemsize
            array = np.frombuffer(self._map, _KIND[code], rows_max, start)
            setattr(self, name, array)
            end = start + rows_max * item_bytes
            self._cells.append(memoryview(self._map)[start:end].cast(code))
            self._starts.append((start, item_bytes))
            start = end

    def put(self, at: int, row: Row) -> None:
        """Fill row `at`. Raises IndexDiskFull before anything has changed."""
        if at >= self._reserved:
            self._reserve(at)
        for cells, value in zip(self._cells, row, strict=True):
            cells[at] = value

    def sync(self) -> None:
        """Return once every store would survive a power cut."""
        with room_on_disk(self.path):
            self._map.flush()

    def close(self) -> None:
        """Let go of the file; the map itself goes with the last array that looks at it."""
        os.close(self._fd)

    def _reserve(self, at: int) -> None:
        # A store into a mapped hole of a full disk kills the process, so holes are filled first.
        count = min(_RESERVE_ROWS, self._rows_max - at)
        with room_on_disk(self.path):
            for start, item_bytes in self._starts:
                os.posix_fallocate(self._fd, start + at * item_bytes, count * item_bytes)
        self._reserved = at + count
