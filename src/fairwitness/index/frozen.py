"""The columns of a sealed slice, in as few bytes as they take: 16 a row where growing takes 45.

What the posts themselves tell is left out: hashes of ids and texts. A moment is how much later it
is than the first of its stretch; names by number take the bytes that their largest needs, and none
where all are the same; a cluster is told of copies only. The file is mapped and never changes.

    magic, length of the head, head, arrays at multiples of 64 bytes, xxh3-64 of all before
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.columns import Columns, Mask, Rows
from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing
from fairwitness.kernels import masks

_MAGIC = b"fwfrozn1"
_KIND = re.compile(r"[|<][iu][1248]")
_HEAD_AT, _LENGTH_BYTES, _DIGEST_BYTES, _ALIGN_BYTES = 16, 8, 8, 64
_STRETCH_ROWS = 1_024
"""So few that a stretch of a slow stream, 16 posts a second, is told in 16 bits."""
_WORD_BITS = 64
_WHOLE = ("author", "handle", "quality")
_NAMES = ("lang", "network")
_MOMENTS = ("since_ms", "made_ms")

Array = NDArray[Any]


class _Kept(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    count: int
    start: int


class _Head(msgspec.Struct, frozen=True):
    first: int
    """Ordinal of the first row."""
    rows: int
    arrays: tuple[_Kept, ...]


class Moments:
    """Milliseconds by row: indexed it is an array of 64 bits."""

    def __init__(
        self, first_ms: NDArray[np.int64], last_ms: NDArray[np.int64], later: Array
    ) -> None:
        """`first_ms` and `last_ms` are of each stretch, `later` how much later than the first."""
        self._first_ms, self._last_ms, self._later = first_ms, last_ms, later
        # What is too far apart stands as it is.
        self._from_ms = np.zeros_like(first_ms) if later.dtype == np.int64 else first_ms

    @overload
    def __getitem__(self, rows: int) -> np.int64: ...
    @overload
    def __getitem__(self, rows: slice | Rows) -> NDArray[np.int64]: ...
    def __getitem__(self, rows: int | slice | Rows) -> np.int64 | NDArray[np.int64]:
        """Return the moments of rows."""
        if isinstance(rows, slice):
            start, end, _ = rows.indices(len(self._later))
            stretches = slice(start // _STRETCH_ROWS, -(-end // _STRETCH_ROWS))
            from_ms = np.repeat(self._from_ms[stretches], _STRETCH_ROWS)
            skipped = start - stretches.start * _STRETCH_ROWS
            whole: NDArray[np.int64] = from_ms[skipped : skipped + max(end - start, 0)]
            whole += self._later[start:end]
            return whole
        found: NDArray[np.int64] = self._from_ms[rows // _STRETCH_ROWS] + self._later[rows]
        return found

    def until(self, moment_ms: int, rows: int) -> Mask:
        """Return which of the first rows are not after a moment."""
        moment_ms = max(min(moment_ms, 2**63 - 1), -(2**63))
        whole = np.repeat(self._last_ms <= moment_ms, _STRETCH_ROWS)[:rows]
        mixed = (self._first_ms <= moment_ms) & (self._last_ms > moment_ms)
        for stretch in np.flatnonzero(mixed[: -(-rows // _STRETCH_ROWS)]).tolist():
            start, end = stretch * _STRETCH_ROWS, min((stretch + 1) * _STRETCH_ROWS, rows)
            later = self._later.dtype.type(moment_ms - int(self._from_ms[stretch]))
            whole[start:end] = self._later[start:end] <= later
        return whole

    def latest(self, rows: int) -> int:
        """Return the latest of the first rows, 0 for none; of whole stretches it is known."""
        whole = rows // _STRETCH_ROWS
        known = int(self._last_ms[:whole].max(initial=0))
        return max(known, int(self[whole * _STRETCH_ROWS : rows].max(initial=0)))


class Clusters:
    """Ordinals by row of the first post that said the same; most posts are their own."""

    def __init__(
        self, head: _Head, copied: NDArray[np.uint64], clusters: NDArray[np.uint32]
    ) -> None:
        """`copied` has a bit a row, from the lowest, set where one of `clusters` is its."""
        self._first, self._rows = head.first, head.rows
        self._copied, self._clusters = copied, clusters
        counts = np.bitwise_count(copied)
        self._before = np.cumsum(counts, dtype=np.uint32) - counts
        """How many copies there are before each 64 rows."""

    @overload
    def __getitem__(self, rows: int) -> np.uint32: ...
    @overload
    def __getitem__(self, rows: slice | Rows) -> NDArray[np.uint32]: ...
    def __getitem__(self, rows: int | slice | Rows) -> np.uint32 | NDArray[np.uint32]:
        """Return the clusters of rows."""
        if isinstance(rows, int):
            return self._of_one(rows)
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self._rows))
        word, bit = self._copied[rows // _WORD_BITS], (rows % _WORD_BITS).astype(np.uint64)
        is_copy = word >> bit & np.uint64(1) == 1
        before = np.bitwise_count(word & ((np.uint64(1) << bit) - np.uint64(1)))
        told: NDArray[np.uint32] = (self._first + rows).astype(np.uint32)
        told[is_copy] = self._clusters[(self._before[rows // _WORD_BITS] + before)[is_copy]]
        return told

    def _of_one(self, row: int) -> np.uint32:
        at, bit = divmod(row, _WORD_BITS)
        word = int(self._copied[at])
        if not word >> bit & 1:
            return np.uint32(self._first + row)
        before: int = (word & (1 << bit) - 1).bit_count()
        return np.uint32(self._clusters[int(self._before[at]) + before])


def freeze(path: Path, columns: Columns, rows: int, first: int) -> None:
    """Write the first rows of a slice that takes no more; raise IndexDiskFull.

    `first` is the ordinal of its first row.
    """
    arrays = {name: getattr(columns, name)[:rows] for name in _WHOLE}
    for name in _NAMES:
        arrays[name] = _narrow(getattr(columns, name)[:rows])
    for name in _MOMENTS:
        arrays |= _moments(name, getattr(columns, name)[:rows])
    arrays |= _clusters(columns.cluster[:rows], first)
    kept, start = [], 0
    for name, array in arrays.items():
        kept.append(_Kept(name, array.dtype.str, len(array), start))
        start += -(-array.nbytes // _ALIGN_BYTES) * _ALIGN_BYTES
    head = msgspec.msgpack.encode(_Head(first, rows, tuple(kept)))
    begin = _MAGIC + len(head).to_bytes(_LENGTH_BYTES, "little") + head
    digest = xxhash.xxh3_64()
    with replacing(path) as file:
        for part in _aligned([begin, *(array.tobytes() for array in arrays.values())]):
            digest.update(part)
            file.write(part)
        file.write(digest.digest())


class Frozen:
    """What `freeze` wrote, named as the columns are."""

    author: NDArray[np.uint32]
    handle: NDArray[np.uint32]
    quality: NDArray[np.uint8]
    lang: NDArray[np.uint16]
    network: NDArray[np.uint16]
    """As many bits as the slice needs, of this and of `lang`."""

    def __init__(self, path: Path, rows: int) -> None:
        """Map the columns of at least `rows`; raise FileNotFoundError or IndexCorrupt."""
        self.path = path
        self._data: NDArray[np.uint8] = np.asarray(np.memmap(path, np.uint8, "r"))
        try:
            if self._data[: len(_MAGIC)].tobytes() != _MAGIC:
                raise IndexCorrupt(path, "no columns")
            head_bytes = int(self._data[len(_MAGIC) : _HEAD_AT].view("<u8")[0])
            raw = self._data[_HEAD_AT : _HEAD_AT + head_bytes].tobytes()
            head = msgspec.msgpack.decode(raw, type=_Head)
            begin = -(-(_HEAD_AT + head_bytes) // _ALIGN_BYTES) * _ALIGN_BYTES
            arrays = {each.name: self._array(each, begin) for each in head.arrays}
            for name in _WHOLE:
                setattr(self, name, arrays[name])
            for name in _NAMES:
                setattr(self, name, np.broadcast_to(arrays[name], head.rows))
            self.cluster = Clusters(head, arrays["copied"], arrays["clusters"])
            self.since_ms, self.made_ms = (_moments_in(arrays, name) for name in _MOMENTS)
        except (msgspec.DecodeError, LookupError, ValueError) as error:
            raise IndexCorrupt(path, f"no columns ({error})") from error
        if head.rows < rows:
            raise IndexCorrupt(path, f"columns of {head.rows} rows where there are {rows}")

    def verify(self) -> None:
        """Hold all to the checksum; raise IndexCorrupt."""
        told = self._data[-_DIGEST_BYTES:].tobytes()
        if xxhash.xxh3_64_digest(self._data[:-_DIGEST_BYTES].data) != told:
            raise IndexCorrupt(self.path, "not what was written")

    def seen_until(self, moment_ms: int, rows: Rows | slice) -> Mask:
        """Return which of `rows` we had seen at a moment."""
        if isinstance(rows, slice) and not rows.start:
            return self.since_ms.until(moment_ms, rows.stop)
        return self.since_ms[rows] <= moment_ms

    def latest_seen_ms(self, rows: int) -> int:
        """Return when the last of the first rows was seen, 0 for none."""
        return self.since_ms.latest(rows)

    def keep_made_from(self, kept: Mask, moment_ms: int, *, negated: bool) -> int:
        """Keep of the first rows those made at a moment or later, or not; return how many."""
        kept &= self.made_ms.until(moment_ms - 1, len(kept)) == negated
        return int(np.count_nonzero(kept))

    def keep_lang(self, kept: Mask, langs: Sequence[int], *, negated: bool) -> int:
        """Keep of the first rows those in some languages, or in none; return how many."""
        return _keep_among(kept, self.lang[: len(kept)], langs, negated)

    def keep_network(self, kept: Mask, networks: Sequence[int], *, negated: bool) -> int:
        """Keep of the first rows those of some networks, or of none; return how many."""
        return _keep_among(kept, self.network[: len(kept)], networks, negated)

    def _array(self, kept: _Kept, begin: int) -> Array:
        if not _KIND.fullmatch(kept.dtype):
            raise ValueError(f"{kept.dtype!r} is no type of numbers")
        dtype: np.dtype[Any] = np.dtype(kept.dtype)
        start = begin + kept.start
        return self._data[start : start + kept.count * dtype.itemsize].view(dtype)


def _keep_among(kept: Mask, column: Array, numbers: Sequence[int], negated: bool) -> int:
    if column.strides[0]:
        return masks.keep_among(kept, column, numbers, negated=negated)
    if len(column) and (int(column[0]) in numbers) == negated:  # the same for all rows
        kept[:] = False
    return int(np.count_nonzero(kept))


def _moments_in(arrays: dict[str, Array], name: str) -> Moments:
    return Moments(*(arrays[f"{name} {part}"] for part in ("first", "last", "later")))


def _narrow(numbers: NDArray[np.uint16]) -> Array:
    """Return names by number in the fewest bytes; where all are the same, one for all rows."""
    narrow = numbers.astype(np.min_scalar_type(numbers.max(initial=0)))
    return narrow[:1] if (narrow == narrow[0]).all() else narrow


def _moments(name: str, moments_ms: NDArray[np.int64]) -> dict[str, Array]:
    starts = np.arange(0, len(moments_ms), _STRETCH_ROWS)
    first_ms = np.minimum.reduceat(moments_ms, starts)
    last_ms = np.maximum.reduceat(moments_ms, starts)
    later: Array = moments_ms
    if (last_ms < first_ms.astype(object) + 2**32).all():
        later = moments_ms - np.repeat(first_ms, _STRETCH_ROWS)[: len(moments_ms)]
        later = later.astype(np.min_scalar_type(later.max()))
    return {f"{name} first": first_ms, f"{name} last": last_ms, f"{name} later": later}


def _clusters(clusters: NDArray[np.uint32], first: int) -> dict[str, Array]:
    is_copy = clusters != first + np.arange(len(clusters))
    words = np.zeros(-(-len(clusters) // _WORD_BITS) * 8, np.uint8)
    bits = np.packbits(is_copy, bitorder="little")
    words[: len(bits)] = bits
    return {"copied": words.view("<u8"), "clusters": clusters[is_copy]}


def _aligned(parts: Sequence[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part + b"\0" * (-len(part) % _ALIGN_BYTES)
