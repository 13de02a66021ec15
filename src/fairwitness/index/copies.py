"""Which posts say the same: clusters of copies, kept while posts come in.

A cluster is named by the ordinal of its first post, for ever: also when that post is deleted, and
when the tables have forgotten its text. Joining one is a repost (as the network says it), the same
words, or a text alike that of the first; `kernels/copies.py` says when two are.

Clusters follow from the order of posts alone, never from a clock, so the log gives the same ones
again. What a deletion leaves in the tables are hashes, of all words and of 15 bits for each word,
until newer posts push them out; no text comes back from them, and copies of what was deleted still
join its cluster.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing
from fairwitness.kernels import copies, rates
from fairwitness.kernels.copies import Seen, Tables
from fairwitness.kernels.texts import Texts

POSTS_MAX = 1 << 21
"""Different texts that are remembered, 128 bytes each: six minutes of all of X, days of most
networks; what is still copied is remembered longer."""
KEYS_MAX = 1 << 19
"""Authors, and clusters, whose rates are remembered, 24 bytes each."""

_MAGIC = b"fwcopies"
_VERSION = 1

ClusterOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]


class _Head(msgspec.Struct, frozen=True):
    """What stands at the beginning of a saved file."""

    version: int
    next_ordinal: int
    posts_max: int
    keys_max: int


class Copies:
    """The clusters that new posts may join, and how fast authors and clusters speak."""

    def __init__(self, posts_max: int = POSTS_MAX, keys_max: int = KEYS_MAX) -> None:
        """Begin with nothing seen; both sizes are powers of two."""
        self.next_ordinal = 0
        """The first post that has not been seen."""
        self._sizes = (posts_max, keys_max)
        self.tables: Tables = copies.empty_tables(posts_max)
        self.authors = rates.empty_rates(keys_max)
        self.clusters = rates.empty_rates(keys_max)

    @property
    def size_bytes(self) -> int:
        """How much memory the tables take; it does not grow."""
        return sum(array.nbytes for array in self._arrays())

    def see(
        self,
        texts: Texts,
        first_ordinal: int,
        original: NDArray[np.int64],
        cluster_of: ClusterOf,
    ) -> Seen:
        """Return the cluster of each post of a batch, how it came there, and counts in its text.

        Ordinals are `first_ordinal` and those after it. `original` is the ordinal of what each post
        repeats whole, -1 for none or unknown. `cluster_of` gives the clusters of ordinals before
        the batch, from the column; it is asked at most once.
        """
        given = np.full(len(texts), -1, np.int64)
        is_earlier = (original >= 0) & (original < first_ordinal)
        if is_earlier.any():
            given[is_earlier] = cluster_of(original[is_earlier])
        seen = copies.see(self.tables, texts, first_ordinal, original, given)
        self.next_ordinal = first_ordinal + len(texts)
        return seen

    def save(self, path: Path) -> None:
        """Put all of it into one file, whole or not at all. Raises IndexDiskFull."""
        head = msgspec.msgpack.encode(_Head(_VERSION, self.next_ordinal, *self._sizes))
        told = xxhash.xxh3_64(head)
        with replacing(path) as file:
            file.write(_MAGIC + len(head).to_bytes(4, "little") + head)
            for array in self._arrays():
                told.update(array.data)
                file.write(array.data)
            file.write(told.digest())

    @classmethod
    def load(cls, path: Path) -> "Copies":
        """Return what was saved; posts from its `next_ordinal` on have to be seen again.

        Raises IndexCorrupt when a bit of the file is not what was written.
        """
        with path.open("rb") as file:
            head, told = _read_head(path, file)
            loaded = cls(head.posts_max, head.keys_max)
            loaded.next_ordinal = head.next_ordinal
            for array in loaded._arrays():
                if file.readinto(array.data) != array.nbytes:
                    raise IndexCorrupt(path, "too short for its tables")
                told.update(array.data)
            if file.read() != told.digest():
                raise IndexCorrupt(path, "its checksum does not match")
        return loaded

    def _arrays(self) -> tuple[NDArray[np.uint64] | NDArray[np.int64], ...]:
        tables = self.tables
        return tables.exact, tables.keys, tables.ring, tables.head, self.authors, self.clusters


def _read_head(path: Path, file: BinaryIO) -> tuple[_Head, xxhash.xxh3_64]:
    begin = file.read(len(_MAGIC) + 4)
    if begin[: len(_MAGIC)] != _MAGIC:
        raise IndexCorrupt(path, "not a file of copies")
    encoded = file.read(int.from_bytes(begin[len(_MAGIC) :], "little"))
    try:
        head = msgspec.msgpack.decode(encoded, type=_Head)
    except msgspec.MsgspecError as error:
        raise IndexCorrupt(path, f"its head cannot be read: {error}") from error
    sizes = (head.posts_max, head.keys_max)
    if head.version != _VERSION or not all(16 <= n <= 1 << 30 and n & (n - 1) == 0 for n in sizes):
        raise IndexCorrupt(path, f"version {head.version} with sizes {sizes}")
    return head, xxhash.xxh3_64(encoded)
