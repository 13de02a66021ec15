"""The posts of a slice, as they were told, in compressed blocks.

Posts that come together share a block: alone a post would hardly shrink. In it they stand field by
field (`kernels/blocks.py`). A row is found by the block that begins last before it. Zstandard
keeps a checksum of each block, so a flipped bit is noticed when it is read. Nothing is ever moved,
except that a block that loses a deleted post is written anew, over the old one or, where it has
grown, at the end.
"""

import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.growing import GrowingFile
from fairwitness.kernels import blocks
from fairwitness.kernels.blocks import BlockDamaged
from fairwitness.kernels.fields import Fields, head
from fairwitness.posts.post import Post

_BLOCK_POSTS = 64
"""More shrink better, and take longer to read one of, 19 µs as it is: a question reads a hundred.
Of 32 it is 15 µs and 5 bytes a post more, of 128 29 µs and 3 bytes less."""
_LEVEL = 3
_FORGETTING_S = 0.002
"""Longer than a block takes to be written over."""
ENTRY = np.dtype([("offset", "<u8"), ("first_row", "<u4"), ("size_bytes", "<u4")])

_threads = threading.local()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Post]).decode


class Texts:
    """Posts by row. One thread adds, any thread reads what was added."""

    def __init__(
        self, folder: Path, rows: int, blocks: int, size_bytes: int, *, read_only: bool
    ) -> None:
        """Open as it was when it held `rows` in `blocks`; what came after is cut off."""
        self.path = folder / "texts"
        entry_bytes = blocks * ENTRY.itemsize
        self._blocks = GrowingFile(folder / "blocks", entry_bytes, read_only=read_only)
        try:
            entries = np.frombuffer(self._blocks.read(0, entry_bytes), ENTRY)
            # A block that was written anew at the end stands there, whoever knew of it.
            ends = entries["offset"] + entries["size_bytes"]
            size_bytes = max(size_bytes, int(ends.max(initial=0)))
            self._file = GrowingFile(self.path, size_bytes, read_only=read_only)
        except BaseException:
            self._blocks.close()
            raise
        self.rows = rows
        self._first_rows, self._offsets, self._sizes = array("I"), array("Q"), array("I")
        """Of each block, as we saw it last: another process may have written it anew elsewhere."""
        self._learn(entries)
        self._tail: tuple[int, list[Sequence[Post]]] = (rows, [])
        """Row of the first post that waits to be written, and those that do, as they came: one
        name, so that a reader gets both or neither."""
        self._encoded = bytearray()
        """Of the posts that wait."""
        self._ends: list[int] = []
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        return self._file.size_bytes

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._first_rows)

    def add(self, posts: Sequence[Post], fields: Fields) -> None:
        """Add rows, encoded in `fields`. They can be read at once, and are written by `flush`."""
        begin = fields.begin(0)
        self._ends += (fields.ends + (len(self._encoded) - begin)).tolist()
        self._encoded += memoryview(fields.encoded)[begin:]
        self._tail[1].append(posts)
        self.rows += len(posts)

    def post_at(self, row: int) -> Post:
        """Return the post of a row; raise IndexCorrupt when it cannot be read."""
        first, waiting = self._tail
        if row >= first:
            return _between(waiting, row - first, row - first + 1)[0]
        number = self.block_of(row)
        return self.post_in(number, self.open(number), row)

    def block_of(self, row: int) -> int:
        """Return the number of the block that has a row, if it was flushed."""
        return bisect_right(self._first_rows, row) - 1

    def first_row(self, number: int) -> int:
        """Return the first row of a block."""
        return self._first_rows[number]

    def open(self, number: int) -> bytes:
        """Return a block, its posts field by field (`kernels/blocks.py`); raise IndexCorrupt."""
        place = self._offsets[number], self._sizes[number]
        for patience in (True, True, False):
            try:
                return _decompress(self._file.read(*place))
            except zstandard.ZstdError as error:
                # Whoever forgets a post of this block may be writing it at this moment, or has.
                if not patience:
                    raise self._damage(place[0], error) from error
                time.sleep(_FORGETTING_S)
                place = self._offsets[number], self._sizes[number] = self._place(number)
        raise AssertionError

    def post_in(self, number: int, block: bytes, row: int) -> Post:
        """Return the post of a row from its block, which was opened; raise IndexCorrupt."""
        found = self._posts_in(number, block, row - self._first_rows[number], 1)
        if not found:
            raise IndexCorrupt(self.path, f"no post in row {row}")
        return found[0]

    def posts_between(self, first: int, end: int) -> list[Post]:
        """Return the posts of many rows, each block opened once."""
        posts: list[Post] = []
        while (row := first + len(posts)) < min(end, self._tail[0]):
            number = self.block_of(row)
            first_of_block = self._first_rows[number]
            found = self._posts_in(number, self.open(number), row - first_of_block, end - row)
            if not found:
                raise IndexCorrupt(self.path, f"no post in row {row}")
            posts += found
        tail_first, waiting = self._tail
        return posts + _between(waiting, row - tail_first, end - tail_first) if row < end else posts

    def flush(self) -> None:
        """Hand what was added to the operating system; raise IndexDiskFull and lose nothing."""
        first, begin = self._tail[0], 0
        for start in range(0, len(self._ends), _BLOCK_POSTS):
            ends = self._ends[start : start + _BLOCK_POSTS]
            encoded = bytes(self._encoded[begin : ends[-1]])
            block = self._compress(blocks.by_field(encoded, len(ends)))
            begin = ends[-1]
            offset = self._file.append(block)
            entry = _entry(offset, first + start, len(block))
            self._blocks.append(entry.tobytes())
            self._learn(entry)
        self._tail = (self.rows, [])
        self._encoded, self._ends = bytearray(), []
        self._file.flush()
        self._blocks.flush()

    def forget(self, rows: Sequence[int]) -> None:
        """Destroy the posts of `rows`, which must have been flushed; their ids stay."""
        by_block = groupby(sorted(rows), self.block_of)
        for number, mine in by_block:
            self._forget_in(number, list(mine))

    def sync(self) -> None:
        """Return once all that was flushed would survive a power cut."""
        self._file.sync()
        self._blocks.sync()

    def grow_to(self, rows: int, blocks: int, size_bytes: int) -> None:
        """For a reader: the writer has committed this much."""
        self._file.grow_to(size_bytes)
        self._blocks.grow_to(blocks * ENTRY.itemsize)
        known, size = self.blocks, ENTRY.itemsize
        stored = self._blocks.read(known * size, (blocks - known) * size)
        self._learn(np.frombuffer(stored, ENTRY))
        self.rows = rows
        self._tail = (rows, [])

    def close(self) -> None:
        """Let go of the files; what was not flushed is lost."""
        self._file.close()
        self._blocks.close()

    def _place(self, number: int) -> tuple[int, int]:
        stored = self._blocks.read(number * ENTRY.itemsize, ENTRY.itemsize)
        offset, _, size_bytes = np.frombuffer(stored, ENTRY)[0].tolist()
        return offset, size_bytes

    def _learn(self, entries: NDArray[np.void]) -> None:
        self._offsets.frombytes(entries["offset"].tobytes())
        self._sizes.frombytes(entries["size_bytes"].tobytes())
        self._first_rows.frombytes(entries["first_row"].tobytes())  # last: by these all is found

    def _posts_in(self, number: int, block: bytes, first: int, count: int) -> list[Post]:
        """Return `count` posts of a block from its `first` on, fewer where it ends."""
        try:
            return _decode(blocks.by_post(block, first, count))
        except (BlockDamaged, msgspec.DecodeError) as error:
            raise self._damage(self._offsets[number], error) from error

    def _damage(self, offset: int, error: Exception) -> IndexCorrupt:
        return IndexCorrupt(self.path, f"no block at byte {offset}: {error}")

    def _forget_in(self, number: int, rows: Sequence[int]) -> None:
        first = self._first_rows[number]
        posts = self._posts_in(number, self.open(number), 0, self.rows - first)
        for row in rows:
            posts[row - first] = _nothing(posts[row - first])
        encoded = _encode(posts)[len(head(len(posts))) :]
        block = self._compress(blocks.by_field(encoded, len(posts)))
        offset, size_bytes = self._place(number)
        if len(block) > size_bytes:
            place = self._file.append(block)
            self._file.flush()
            self._file.sync()
            entry = _entry(place, first, len(block))
            self._blocks.overwrite(number * ENTRY.itemsize, entry.tobytes())
            self._blocks.sync()
            self._offsets[number], self._sizes[number] = place, len(block)
            block = b""
        self._file.overwrite(offset, block.ljust(size_bytes, b"\0"))


def _between(parts: Sequence[Sequence[Post]], first: int, end: int) -> list[Post]:
    """Return posts by their places in all parts together."""
    found: list[Post] = []
    for part in parts:
        found += part[max(first, 0) : max(end, 0)]
        first, end = first - len(part), end - len(part)
    return found


def _decompress(block: bytes) -> bytes:
    # To make one takes as long as to use it, and threads may not share one.
    if not hasattr(_threads, "decompress"):
        _threads.decompress = zstandard.ZstdDecompressor().decompress
    posts: bytes = _threads.decompress(block)
    return posts


def _entry(offset: int, first_row: int, size_bytes: int) -> NDArray[np.void]:
    return np.array([(offset, first_row, size_bytes)], ENTRY)


def _nothing(post: Post) -> Post:
    """Return what is left of a post that was destroyed."""
    return Post(id=post.id, network="", author="", author_id="", text="", created_ms=0, seen_ms=0)
