"""Which rows say what: build postings, merge them, ask them.

Postings are in runs, immutable bytes of the rows of a stretch (`runs.py` says what stands where),
and neighbouring runs become one. A term is a hash. Text lists know where in a row a token stands,
aside lists only which rows hold it; `ASIDE` keeps their keys apart.
"""

import ctypes
import itertools
import mmap
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native, postings_plain, runs, runs_plain
from fairwitness.kernels.bm25 import Ask, Ranked, norms
from fairwitness.kernels.runs import Oversize, RunDamaged

__all__ = ["ASIDE", "Ask", "Keys", "Oversize", "Ranked", "Run", "RunDamaged", "build", "merge"]

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

    def counts(self, keys: NDArray[np.uint64], end_row: int | None = None) -> NDArray[np.int64]:
        """Return in how many rows, of those below `end_row`, each key occurs."""
        end = self._end(end_row)
        keys = np.ascontiguousarray(keys, np.uint64)
        library = native.library()
        if library is None:
            return postings_plain.counts(self.opened, keys, end)
        out = np.empty(len(keys), np.int64)
        call = library.fw_postings_counts
        call.restype = ctypes.c_int64
        number = native.count(len(keys))
        _done(call(self._at, native.at(keys), number, native.count(end), native.at(out)))
        return out

    def tokens_before(self, end_row: int) -> int:
        """Return the sum of the lengths of the rows below `end_row`."""
        end = self._end(end_row)
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

    def rank(
        self,
        ask: Ask,
        mean_length: float,
        depth: int,
        end_row: int,
        allowed: NDArray[np.bool_] | None = None,
        floor: float = 0.0,
    ) -> Ranked:
        """Return the `depth` best rows below `end_row`, of equals the later one first.

        mean_length: tokens a row over all that is asked. allowed: which rows may be found, by row
        of the slice, at least `end_row` of them; all if left out. floor: a score of this ask that
        a row has to be above. A row that holds no term, or lacks one that it has to hold, is not
        found.
        """
        end = self._end(end_row)
        depth = min(depth, end)
        if depth <= 0:
            return Ranked(np.empty(0, np.int64), np.empty(0))
        if allowed is not None:
            allowed = np.ascontiguousarray(allowed[self.first_row : self.first_row + end])
            assert len(allowed) == end
        beside = norms(mean_length)  # held until the call is over
        above = round(floor / ask.unit)
        library = native.library()
        if library is None:
            found = postings_plain.rank(self.opened, ask, beside, depth, above, end, allowed)
            return Ranked(found[0] + self.first_row, found[1].astype(np.float64) * ask.unit)
        rows, scores = np.empty(depth, np.int64), np.empty(depth, np.uint32)
        call = library.fw_postings_rank
        call.restype = ctypes.c_int64
        count = _done(
            call(
                self._at,
                ctypes.byref(ask.view),
                native.at(beside),
                native.count(depth),
                native.count(above),
                native.count(end),
                None if allowed is None else native.at(allowed),
                native.at(rows),
                native.at(scores),
            )
        )
        return Ranked(rows[:count], scores[:count].astype(np.float64) * ask.unit)

    def verify(self) -> None:
        """Hold all bytes to their checksums."""
        library = native.library()
        if library is None:
            return self.opened.touch_all()
        call = library.fw_postings_verify
        call.restype = ctypes.c_int64
        _done(call(self._at))

    def _end(self, end_row: int | None) -> int:
        """Return how many rows of the run are below `end_row`."""
        return self.rows if end_row is None else min(max(end_row - self.first_row, 0), self.rows)


class _Made(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("bytes", ctypes.c_void_p))


def build(first_row: int, text: Keys, aside: Keys) -> bytes:
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
) -> bytes:
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


def _made(free: Any, call: Any, *arguments: object) -> bytes:
    call.restype = ctypes.c_int64
    made = _Made()
    size_bytes = _done(call(*arguments, ctypes.byref(made)))
    try:
        return bytes((ctypes.c_uint8 * size_bytes).from_address(made.data))
    finally:
        free(ctypes.byref(made))


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
