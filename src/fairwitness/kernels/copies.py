"""Which posts are copies of which, in the order of their coming, in bounded memory.

The first post of its kind is the head of a cluster, and its ordinal names the cluster. A later one
joins by repeating a post whole, by the same words, or by being alike a record of the cluster; only
heads have records, so a chain of small edits does not drift away from where it began. Three tables:

- `exact`: from the hash of all words to the cluster; buckets of four, the oldest makes way;
- `ring`: the records, each what the sketch of a head has to be compared by; a ring of bytes;
- `keys`: from a key of a sketch to records; buckets of eight, at most four for one key.

What is still copied moves to the front; the rest is forgotten when the tables are full, by order of
coming and never by a clock. Same posts in the same order give the same clusters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native
from fairwitness.kernels.folds import fold_table
from fairwitness.kernels.lexicon import lexicon_table
from fairwitness.kernels.sketch import ALIKE, KEYS, UNITS, Sketch, likeness, sketch
from fairwitness.kernels.statements import Mark
from fairwitness.kernels.texts import Texts, unpack

FIRST, EXACT, NEAR, REPOST = range(4)
"""How a post came to its cluster: as the first, by the same words, by likeness, as a repost."""

_EXACT_WAYS, _KEY_WAYS, _SAME_KEY_MAX = 4, 8, 4
_HEADER_WORDS = 3
_POSITION_BITS = 40
_POSITION_MASK = (1 << _POSITION_BITS) - 1
_RECORD_WORDS = 8
"""Of 8 bytes; the mean of a record is 7 on the captures (`benchmarks/copies.py`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The three tables and how far the ring was written; plain arrays, so they can be kept."""

    exact: NDArray[np.uint64]
    """Hash and cluster, the newest first; shape (buckets, 4, 2)."""
    keys: NDArray[np.uint64]
    """Highest 24 bits of the key and position of the record, the newest first; (buckets, 8)."""
    ring: NDArray[np.uint64]
    """Records: cluster; kept | count << 16 | flags << 32; a bit for each unit; units, four in a
    word. Shape (words,)"""
    head: NDArray[np.uint64]
    """Position of the next record, in words since the beginning; shape (1,)."""

    @property
    def size_bytes(self) -> int:
        """How much memory they take."""
        return self.exact.nbytes + self.keys.nbytes + self.ring.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of a batch of posts, by place in the batch."""

    cluster: NDArray[np.int64]
    """Ordinal of the first post of its cluster, itself when there is none before."""
    how: NDArray[np.uint8]
    """FIRST, EXACT, NEAR or REPOST."""
    marks: NDArray[np.uint16]
    """Counts in its text, see `Mark`; shape (posts, marks)."""


def empty_tables(posts_max: int) -> Tables:
    """Return tables for about `posts_max` different texts, 160 bytes each; a power of two."""
    assert posts_max >= 16
    assert posts_max & (posts_max - 1) == 0
    return Tables(
        np.zeros((2 * posts_max // _EXACT_WAYS, _EXACT_WAYS, 2), np.uint64),
        np.zeros((KEYS * posts_max // _KEY_WAYS, _KEY_WAYS), np.uint64),
        np.zeros(_RECORD_WORDS * posts_max, np.uint64),
        np.ones(1, np.uint64),
    )


def see(
    tables: Tables,
    texts: Texts,
    first: int,
    original: NDArray[np.int64],
    given: NDArray[np.int64],
) -> Seen:
    """Return the clusters of some posts, whose ordinals begin at `first`, and note them.

    `original` is the ordinal of the post that each repeats whole, or -1; `given` is the cluster of
    an original from before `first`, or -1.
    """
    posts = len(texts)
    seen = Seen(
        np.empty(posts, np.int64),
        np.empty(posts, np.uint8),
        np.empty((posts, len(Mark)), np.uint16),
    )
    original, given = (np.ascontiguousarray(each, np.int64) for each in (original, given))
    library = native.library()
    if library is None:
        _Plain(tables).see(texts, first, original, given, seen)
        return seen
    library.fw_copies(
        native.at(fold_table()),
        native.at(lexicon_table()),
        native.at(tables.exact),
        native.count(len(tables.exact)),
        native.at(tables.keys),
        native.count(len(tables.keys)),
        native.at(tables.ring),
        native.count(len(tables.ring)),
        native.at(tables.head),
        texts.blob,
        native.at(texts.ends),
        native.count(posts),
        native.count(first),
        native.at(original),
        native.at(given),
        native.at(seen.cluster),
        native.at(seen.how),
        native.at(seen.marks),
    )
    return seen


def sketches(texts: Texts) -> list[Sketch]:
    """Return the sketches of some texts."""
    library = native.library()
    if library is None:
        return [sketch(text) for text in unpack(texts)]
    count = len(texts)
    exact, keys = np.empty(count, np.uint64), np.empty((count, KEYS), np.uint64)
    units, marks = np.empty((count, UNITS), np.uint16), np.empty((count, len(Mark)), np.uint16)
    sizes = np.empty((count, 4), np.int32)
    library.fw_sketches(
        native.at(fold_table()),
        native.at(lexicon_table()),
        texts.blob,
        native.at(texts.ends),
        native.count(count),
        *[native.at(made) for made in (exact, keys, units, sizes, marks)],
    )
    return [
        Sketch(
            int(exact[at]),
            tuple(units[at, :kept].tolist()),
            all_units,
            tuple(keys[at, :keys_count].tolist()),
            flags,
            tuple(marks[at].tolist()),
        )
        for at, (kept, all_units, keys_count, flags) in enumerate(sizes.tolist())
    ]


class _Plain:
    """What `csrc/copies.cpp` does, a post at a time."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def see(
        self,
        texts: Texts,
        first: int,
        original: NDArray[np.int64],
        given: NDArray[np.int64],
        seen: Seen,
    ) -> None:
        for at, text in enumerate(unpack(texts)):
            source = int(original[at]) - first
            from_ = int(seen.cluster[source] if 0 <= source < at else given[at])
            made = sketch(text)
            seen.marks[at] = made.marks
            seen.cluster[at], seen.how[at] = self._place(made, first + at, from_)

    def _place(self, made: Sketch, ordinal: int, given: int) -> tuple[int, int]:
        if made.exact == 0:
            return (given, REPOST) if given >= 0 else (ordinal, FIRST)
        found = self._candidates(made)
        cluster, how = given, REPOST
        if cluster < 0:
            cluster, how = self._find_exact(made.exact), EXACT
        if cluster < 0:
            cluster, how = self._nearest(made, found), NEAR
        if cluster < 0:
            cluster, how = ordinal, FIRST
        self._touch_exact(made.exact, cluster)
        if made.keys:
            self._keep(made, cluster, found)
        return cluster, how

    def _exact_bucket(self, exact: int) -> NDArray[np.uint64]:
        bucket: NDArray[np.uint64] = self._tables.exact[exact & (len(self._tables.exact) - 1)]
        return bucket

    def _find_exact(self, exact: int) -> int:
        for held, cluster in self._exact_bucket(exact).tolist():
            if held == exact:
                return int(cluster)
        return -1

    def _touch_exact(self, exact: int, cluster: int) -> None:
        bucket = self._exact_bucket(exact)
        held = bucket[:, 0].tolist()
        way = held.index(exact) if exact in held else _EXACT_WAYS - 1
        kept = int(bucket[way, 1]) if held[way] == exact else cluster
        bucket[1 : way + 1] = bucket[:way].copy()
        bucket[0] = exact, kept

    def _is_whole(self, position: int) -> bool:
        return position != 0 and int(self._tables.head[0]) <= position + len(self._tables.ring)

    def _candidates(self, made: Sketch) -> list[int]:
        found: dict[int, None] = {}
        for key in made.keys:
            for entry in self._tables.keys[key & (len(self._tables.keys) - 1)].tolist():
                position = entry & _POSITION_MASK
                if entry >> _POSITION_BITS == key >> _POSITION_BITS and self._is_whole(position):
                    found[position] = None
        return list(found)

    def _record(self, position: int) -> tuple[int, Sketch]:
        at = position % len(self._tables.ring)
        cluster, sizes = self._tables.ring[at : at + 2].tolist()
        units = self._tables.ring[at + _HEADER_WORDS :].view(np.uint16)[: sizes & 0xFFFF]
        count, flags = sizes >> 16 & 0xFFFF, sizes >> 32
        return cluster, Sketch(0, tuple(units.tolist()), count, (), flags, ())

    def _nearest(self, made: Sketch, found: list[int]) -> int:
        best, cluster = ALIKE - 1, -1
        for position in found:
            its, record = self._record(position)
            alike = likeness(record, made)
            if alike > best or (alike == best and 0 <= its < cluster):
                best, cluster = alike, its
        return cluster

    def _keep(self, made: Sketch, cluster: int, found: list[int]) -> None:
        its = [position for position in found if self._record(position)[0] == cluster]
        if not its:
            self._put(made, cluster, made)
        elif int(self._tables.head[0]) - max(its) > len(self._tables.ring) // 2:
            self._put(made, cluster, self._record(max(its))[1])

    def _put(self, made: Sketch, cluster: int, record: Sketch) -> None:
        ring = self._tables.ring
        words = _HEADER_WORDS + (len(record.units) + 3) // 4
        position = int(self._tables.head[0])
        left = len(ring) - position % len(ring)
        position += left if words > left else 0
        row = np.zeros(words, np.uint64)
        bits = sum({1 << (unit >> 1 & 63) for unit in record.units})
        row[:3] = cluster, len(record.units) | record.count << 16 | record.flags << 32, bits
        row[_HEADER_WORDS:].view(np.uint16)[: len(record.units)] = record.units
        ring[position % len(ring) :][:words] = row
        self._tables.head[0] = position + words
        for key in made.keys:
            self._put_key(key, position)

    def _put_key(self, key: int, position: int) -> None:
        bucket = self._tables.keys[key & (len(self._tables.keys) - 1)]
        entries = bucket.tolist()
        whole = [self._is_whole(entry & _POSITION_MASK) for entry in entries]
        tag = key >> _POSITION_BITS
        same = [
            way for way in range(_KEY_WAYS) if whole[way] and entries[way] >> _POSITION_BITS == tag
        ]
        free = [way for way in range(_KEY_WAYS) if not whole[way]]
        choices = same if len(same) >= _SAME_KEY_MAX else free or [_KEY_WAYS - 1]
        drop = choices[-1]
        bucket[1 : drop + 1] = bucket[:drop].copy()
        bucket[0] = tag << _POSITION_BITS | position
