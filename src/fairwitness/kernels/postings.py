"""Which rows say what: build postings, merge them, ask them.

Postings are in runs, immutable bytes of the rows of a stretch (`runs.py` says what stands where),
and neighbouring runs become one. A term is a hash. Text lists know where in a row a token stands,
aside lists only which rows hold it; `ASIDE` keeps their keys apart.
"""

import ctypes
import itertools
import mmap
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native, postings_plain, runs, runs_plain
from fairwitness.kernels.bm25 import Ask, Ranked, norms
from fairwitness.kernels.runs import Oversize, RunDamaged

__all__ = [
    "ASIDE",
    "Ask",
    "Keys",
    "Oversize",
    "Part",
    "Ranked",
    "Run",
    "RunDamaged",
    "build",
    "counts",
    "merge",
    "rank",
]

Buffer = bytes | bytearray | memoryview | mmap.mmap

ASIDE = np.uint64(0x61D3A5C9E8B47F26)
"""The key of an aside token is its hash XOR this."""

_NONSENSE, _OVERSIZE, _NO_MEMORY, _FIRST_CHUNK = -1, -2, -3, -8


class Keys(Protocol):
    """The tokens of some rows; `kernels.words.Words` is one."""

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """Keys of all rows in a row."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where those of each row begin, and where the last one's end; shape (rows + 1,)."""


class RunView(ctypes.Structure):
    """csrc/run.h has the same."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("data", "seen")),
        *((name, ctypes.c_int64) for name in ("first_row", "rows", "terms")),
        *((name, ctypes.c_int64) for name in ("keys", "ends", "lengths", "lists", "end")),
    )


class Run:
    """A run over any buffer, which has to stay as it is.

    Opening looks at the header only. What is read is held to its checksum, once: any call raises
    RunDamaged for bytes that are not as they were written.
    """

    def __init__(self, data: Buffer) -> None:
        """Open a run; raise RunDamaged if `data` is none, or not whole."""
        whole = memoryview(data).cast("B")
        header = runs.read_header(whole)
        self.first_row, self.rows, self.terms, self.tokens = header[:4]
        self.end_row = self.first_row + self.rows
        self.size_bytes = header.size_bytes
        places = runs.places(self.rows, self.terms, header.lists_bytes)
        # Held for the view, which knows nothing of owners.
        self._bytes = np.frombuffer(whole, np.uint8)
        self._seen = np.zeros(runs.chunks_in(places.end), np.uint8)
        begins = map(native.at, (self._bytes, self._seen))
        self.view = RunView(*begins, self.first_row, self.rows, self.terms, *places)
        self._at = ctypes.byref(self.view)
        self.opened = runs_plain.Opened(whole, header, self._seen)

    def tokens_before(self, end_row: int) -> int:
        """Return the sum of the lengths of the rows below `end_row`."""
        end = self.rows_below(end_row)
        if end == self.rows:
            return self.tokens
        library = native.library()
        if library is None:
            return postings_plain.tokens(self.opened, end)
        call = library.fw_postings_tokens
        call.restype = ctypes.c_int64
        return _done(call(self._at, native.at(runs.sizes()), native.count(end)))

    def rows_with(self, key: int | np.uint64) -> NDArray[np.int64]:
        """Return the rows that hold a key, ascending."""
        library = native.library()
        if library is None:
            return postings_plain.rows_with(self.opened, int(key)) + self.first_row
        room = 0
        call = library.fw_postings_rows
        call.restype = ctypes.c_int64
        while True:
            out = np.empty(room, np.int64)
            asked = ctypes.c_uint64(int(key))
            count = _done(call(self._at, asked, native.count(room), native.at(out)))
            if count <= room:
                return out[:count]
            room = count

    def rows_saying(
        self, keys: Sequence[int] | NDArray[np.uint64], offsets: Sequence[int]
    ) -> NDArray[np.int64]:
        """Return the rows where key i stands at p + offsets[i] for some p, ascending."""
        asked, apart = np.array(keys, np.uint64), np.array(offsets, np.int64)
        assert len(asked) == len(apart) > 0
        if len(asked) == 1:
            return self.rows_with(asked[0])
        library = native.library()
        if library is None:
            return postings_plain.rows_saying(self.opened, asked, apart) + self.first_row
        out = np.empty(self.rows, np.int64)
        call = library.fw_postings_phrase
        call.restype = ctypes.c_int64
        number = native.count(len(asked))
        found = _done(call(self._at, native.at(asked), native.at(apart), number, native.at(out)))
        return out[:found][::-1].copy()

    def verify(self) -> None:
        """Hold all bytes to their checksums."""
        library = native.library()
        if library is None:
            return self.opened.touch_all()
        call = library.fw_postings_verify
        call.restype = ctypes.c_int64
        _done(call(self._at))

    def rows_below(self, end_row: int) -> int:
        """Return how many rows of the run are below `end_row`."""
        return min(max(end_row - self.first_row, 0), self.rows)


class Part(NamedTuple):
    """What is asked of one run."""

    run: Run
    end_row: int
    """Only rows below it."""
    allowed: NDArray[np.bool_] | None = None
    """Which rows may be found, by row of the slice, at least `end_row` of them; None for all."""


def counts(parts: Sequence[Part], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many rows of all parts each key occurs, allowed or not."""
    keys, ends = np.ascontiguousarray(keys, np.uint64), _ends(parts)
    out = np.zeros(len(keys), np.int64)
    library = native.library()
    if library is None:
        for part, end in zip(parts, ends.tolist(), strict=True):
            out += postings_plain.counts(part.run.opened, keys, end)
        return out
    call = library.fw_postings_counts
    call.restype = ctypes.c_int64
    number, count = native.count(len(parts)), native.count(len(keys))
    _done(call(_views(parts), native.at(ends), number, native.at(keys), count, native.at(out)))
    return out


def rank(parts: Sequence[Part], ask: Ask, mean_length: float, depth: int) -> list[Ranked]:
    """Return of each part its rows that are among the `depth` best of all, best first.

    Parts are in order of age. Of equals the later row is first. A row that holds no term, or lacks
    one that it has to hold, is not found. mean_length: tokens a row over all that is asked.
    """
    ends = _ends(parts)
    firsts = np.concatenate([[0], np.cumsum(ends)])
    if firsts[-1] > runs.MAX_ROW:
        raise Oversize(f"a question to {firsts[-1]} rows")
    depth = min(max(depth, 0), int(firsts[-1]))
    masks = [_mask(part, end) for part, end in zip(parts, ends.tolist(), strict=True)]
    beside = norms(mean_length)  # held until the call is over
    library = native.library()
    rows, scores = np.empty(depth, np.int64), np.empty(depth, np.uint32)
    if depth and library is None:
        opened = [part.run.opened for part in parts]
        found = postings_plain.rank(opened, ask, beside, depth, ends.tolist(), masks)
        rows, scores = found[0], found[1].astype(np.uint32)
    elif depth and library is not None:
        call = library.fw_postings_rank
        call.restype = ctypes.c_int64
        count = _done(
            call(
                _views(parts),
                native.at(ends),
                (ctypes.c_void_p * len(parts))(
                    *(None if mask is None else mask.ctypes.data for mask in masks)
                ),
                native.count(len(parts)),
                ctypes.byref(ask.view),
                native.at(beside),
                native.count(depth),
                native.at(rows),
                native.at(scores),
            )
        )
        rows, scores = rows[:count], scores[:count]
    at = np.searchsorted(firsts, rows, side="right") - 1
    local, worth = rows - firsts[at], scores.astype(np.float64) * ask.unit
    return [
        Ranked(local[at == number] + part.run.first_row, worth[at == number])
        for number, part in enumerate(parts)
    ]


def _ends(parts: Sequence[Part]) -> NDArray[np.int64]:
    """Return how many rows of each run count."""
    return np.array([part.run.rows_below(part.end_row) for part in parts], np.int64)


def _mask(part: Part, end: int) -> NDArray[np.bool_] | None:
    if part.allowed is None:
        return None
    mask = np.ascontiguousarray(part.allowed[part.run.first_row :][:end])
    assert len(mask) == end
    return mask


def _views(parts: Sequence[Part]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(parts))(*(ctypes.addressof(part.run.view) for part in parts))


class _Made(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("bytes", ctypes.c_void_p))


def build(first_row: int, text: Keys, aside: Keys) -> bytes | memoryview:
    """Return a run of the rows first_row, first_row + 1 …; raise Oversize.

    Text tokens are in order, the index of one is its position. An aside counts once in a row.
    """
    rows = len(text.starts) - 1
    assert len(aside.starts) == rows + 1
    if max(first_row + rows, len(text.hashes), len(aside.hashes)) > runs.MAX_ROW:
        raise Oversize(f"a run of {len(text.hashes)} tokens up to row {first_row + rows}")
    said, beside = _in_one_piece(text), _in_one_piece(aside)
    library = native.library()
    if library is None:
        return runs_plain.build(first_row, said, beside)
    return _made(
        library.fw_run_free,
        library.fw_run_build,
        native.count(first_row),
        native.count(rows),
        *map(native.at, (*said, *beside)),
        native.at(runs.sizes()),
    )


def _in_one_piece(keys: Keys) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    assert 0 <= keys.starts[0] <= keys.starts[-1] <= len(keys.hashes), keys.starts
    assert (np.diff(keys.starts) >= 0).all()
    hashes = np.ascontiguousarray(keys.hashes, np.uint64)
    return hashes, np.ascontiguousarray(keys.starts, np.int64)


def merge(
    parts: Sequence[Run], gone: NDArray[np.bool_] | None = None, end_row: int | None = None
) -> bytes | memoryview:
    """Return one run of neighbouring ones, oldest first; raise Oversize or RunDamaged.

    gone: of the rows from the first run's first one on, which lose their postings; their lengths
    are counted still. Rows from `end_row` on are left out.
    """
    for one, other in itertools.pairwise(parts):
        if one.end_row != other.first_row:
            raise ValueError(
                f"a run ends at row {one.end_row}, the next begins at {other.first_row}"
            )
    first_row, end = parts[0].first_row, parts[-1].end_row
    rows = max(min(end, end if end_row is None else end_row) - first_row, 0)
    if gone is not None:
        gone = np.ascontiguousarray(gone[:rows])
        assert len(gone) == rows
    library = native.library()
    if library is None:
        return runs_plain.merge([part.opened for part in parts], rows, gone)
    views = (ctypes.c_void_p * len(parts))(*(ctypes.addressof(part.view) for part in parts))
    return _made(
        library.fw_run_free,
        library.fw_run_merge,
        views,
        native.count(len(parts)),
        native.count(rows),
        None if gone is None else native.at(gone),
        native.at(runs.sizes()),
    )


class _Memory:
    """Bytes that a kernel made, freed when nobody looks at them any more.

    A run may have 100 MB: to copy it would hold the GIL for as long as a question takes.
    """

    def __init__(self, made: _Made, size_bytes: int, free: Any) -> None:
        self._made, self._free = made, free
        self.__array_interface__ = {
            "version": 3,
            "shape": (size_bytes,),
            "typestr": "|u1",
            "data": (made.data, True),
        }

    def __del__(self) -> None:
        self._free(ctypes.byref(self._made))


def _made(free: Any, call: Any, *arguments: object) -> memoryview:
    call.restype = ctypes.c_int64
    made = _Made()
    size_bytes = _done(call(*arguments, ctypes.byref(made)))
    return np.asarray(_Memory(made, size_bytes, free)).data


def _done(code: int) -> int:
    """Return what a kernel returned, or raise what went wrong."""
    if code >= 0:
        return code
    if code == _NO_MEMORY:
        raise MemoryError("no memory for postings")
    if code == _OVERSIZE:
        raise Oversize("a run would pass 2 GiB")
    if code == _NONSENSE:
        raise RunDamaged("a list of a run is none")
    raise RunDamaged(f"chunk {_FIRST_CHUNK - code} of a run is not as it was written")
