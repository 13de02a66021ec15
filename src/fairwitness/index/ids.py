"""Where the posts of a slice are by the hash of their id.

The hot slice knows its ids in a dict. A sealed one has a file of 6 bytes a row, which is mapped: a
filter, that says of nearly all unknown ids that they are unknown (a post that comes is looked up in
every slice, and is in none of them), and the rows by the first bits of their hash. What these bits
find is held to the whole hash, which the post itself tells.

    magic, rows; filter u64, 4 rows a word; where each bucket begins u32; rows u32, each below as
    many bits of its hash as there is room for; xxh3-64 of all before
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing

_MAGIC = b"fwids001"
_HEADER = struct.Struct("<8sQ")
_DIGEST_BYTES = 8
_ROWS_A_WORD = 4
"""With 4 bits each in words of 64, one unknown id in some 200 passes the filter."""
_BUCKET_ROWS = 16

_NAME = "ids"

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]


def id_hash(post_id: str) -> int:
    """Return the hash by which ids are found, 64 bits."""
    return xxhash.xxh64_intdigest(post_id.encode("utf-8", "surrogatepass"))


def has_sorted(folder: Path) -> bool:
    """Return whether the ids of the slice in `folder` are sorted."""
    return (folder / _NAME).exists()


def sort(folder: Path, id_hashes: Hashes) -> None:
    """Sort the ids of a slice that takes no more rows, one hash a row; raise IndexDiskFull."""
    rows = len(id_hashes)
    order = np.argsort(id_hashes, kind="stable")
    ordered = id_hashes[order]
    shift, row_bits = _bits_of(rows)
    buckets = np.arange((1 << (64 - shift)) + 1, dtype=np.uint64)
    starts = np.searchsorted(ordered >> np.uint64(shift), buckets).astype(np.uint32)
    entries = _first_bits(ordered, rows) << np.uint64(row_bits) | order.astype(np.uint64)
    told = np.zeros(rows // _ROWS_A_WORD + 1, np.uint64)
    np.bitwise_or.at(told, _word(id_hashes, len(told)), _bits(id_hashes))
    header = _HEADER.pack(_MAGIC, rows)
    digest = xxhash.xxh3_64()
    with replacing(folder / _NAME) as file:
        for part in (header, told.data, starts.data, entries.astype(np.uint32).data):
            digest.update(part)
            file.write(part)
        file.write(digest.digest())


def forget(folder: Path) -> None:
    """Remove the order of a slice that takes rows again."""
    (folder / _NAME).unlink(missing_ok=True)


class SealedIds:
    """The ids of a slice that takes no more rows; a row's whole hash is asked for."""

    def __init__(self, folder: Path, rows: int, hash_of: Callable[[int], int]) -> None:
        """Map what `sort` wrote; raise FileNotFoundError, or IndexCorrupt if it is of others."""
        self.path = folder / _NAME
        self._hash_of = hash_of
        shift, row_bits = _bits_of(rows)
        self._rows, self._shift, self._row_bits = rows, np.uint64(shift), np.uint64(row_bits)
        self._data: NDArray[np.uint8] = np.asarray(np.memmap(self.path, np.uint8, "r"))
        words, buckets = rows // _ROWS_A_WORD + 1, (1 << (64 - shift)) + 1
        ends = np.cumsum([_HEADER.size, 8 * words, 4 * buckets, 4 * rows]).tolist()
        whole = len(self._data) == ends[-1] + _DIGEST_BYTES
        if not whole or self._data[: ends[0]].tobytes() != _HEADER.pack(_MAGIC, rows):
            raise IndexCorrupt(self.path, f"not the order of {rows} rows")
        self._filter = self._data[ends[0] : ends[1]].view(np.uint64)
        self._starts = self._data[ends[1] : ends[2]].view(np.uint32)
        self._entries = self._data[ends[2] : ends[3]].view(np.uint32)

    def verify(self) -> None:
        """Hold all to the checksum; raise IndexCorrupt."""
        told = self._data[-_DIGEST_BYTES:].tobytes()
        if xxhash.xxh3_64_digest(self._data[:-_DIGEST_BYTES].data) != told:
            raise IndexCorrupt(self.path, f"not the order of {self._rows} rows")

    def newest(self, hashes: Hashes) -> Rows:
        """Return the last row with each hash, -1 where there is none."""
        bits = _bits(hashes)
        rows = np.full(len(hashes), -1, np.int64)
        maybe = np.flatnonzero(self._filter[_word(hashes, len(self._filter))] & bits == bits)
        if not len(maybe):
            return rows
        which, found = self._alike(hashes[maybe])
        # Newest first, so that an older row with the same hash is not looked at.
        for at, row in sorted(zip(maybe[which].tolist(), found.tolist(), strict=True))[::-1]:
            if rows[at] < 0 and self._hash_of(row) == int(hashes[at]):
                rows[at] = row
        return rows

    def _alike(self, hashes: Hashes) -> tuple[Rows, Rows]:
        """Return rows with the same first bits as some hashes, and which of them each is for."""
        bucket = (hashes >> self._shift).astype(np.int64)
        begin = self._starts[bucket].astype(np.int64)
        counts = self._starts[bucket + 1] - begin
        which = np.repeat(np.arange(len(hashes)), counts)
        at = np.arange(len(which)) + np.repeat(begin - (np.cumsum(counts) - counts), counts)
        entries = self._entries[at].astype(np.uint64)
        same = entries >> self._row_bits == _first_bits(hashes, self._rows)[which]
        row_mask = (np.uint64(1) << self._row_bits) - np.uint64(1)
        return which[same], (entries[same] & row_mask).astype(np.int64)


def _bits_of(rows: int) -> tuple[int, int]:
    """Return by how much a hash is shifted to be the number of its bucket, and bits of a row."""
    return 64 - max((rows // _BUCKET_ROWS).bit_length(), 1), max(rows - 1, 1).bit_length()


def _first_bits(hashes: Hashes, rows: int) -> Hashes:
    """Return the bits of each hash behind those of its bucket that stand beside a row."""
    shift, row_bits = _bits_of(rows)
    return hashes << np.uint64(64 - shift) >> np.uint64(32 + row_bits)


def _word(hashes: Hashes, words: int) -> Rows:
    return ((hashes >> np.uint64(32)) % np.uint64(words)).astype(np.int64)


def _bits(hashes: Hashes) -> Hashes:
    one, low = np.uint64(1), np.uint64(63)
    bits = one << (hashes & low)
    for shift in (6, 12, 18):
        bits |= one << (hashes >> np.uint64(shift) & low)
    return bits
