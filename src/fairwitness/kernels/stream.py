"""Lines of X's filtered stream, as events that the log holds, without an object of Python for any.

Most lines of a firehose are alike: known fields, a text with nothing odd in it, a few links. One
pass in C++ reads, cleans and composes those, and tells their language. It never guesses: a line
with anything that it does not plainly know is left to whoever asked, whose reading is the measure
of this one (`tests/posts/test_stream.py` holds both equal to the byte). So there is no plain twin:
without the library every line is left.
"""

import ctypes
import functools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import language, letters, native
from fairwitness.kernels.lid import MODEL, load
from fairwitness.kernels.scan import HIDDEN, SELECTORS, SPACES

_ROOM_BYTES = 1_024
"""An event needs no more beyond twice its line; one that does is left."""

_JOINERS = "\u200c\u200d"
_WORD = rf"\w{letters.MARKS}"
# csrc/cleaning.h has the same numbers. Each is of the characters that its class names.
_CLASSES = {
    1: SPACES,
    2: r"\n-\r\x85\u2028\u2029",
    4: r"\t\x0b-\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f",
    8: HIDDEN,
    16: SELECTORS,
    64: r"\w",
    256: _WORD + _JOINERS,
    512: _WORD + "&/",
    1024: r"\w@＠/",
    2048: r"\s<>\"'`{}|\\^\xab\xbb\u201c-\u201f\u3000-\u303f\uff00-\uffef",
    4096: "#＃",
    8192: "@＠",
}
_DOUBTFUL, _COMBINES, _LETTER = 8, 32, 128

_LETTERS = 26
_WRITERS_ONE, _WRITERS_HAN = 1, 2


class Tongues(NamedTuple):
    """What decides between the language that a text looks like and the one that is claimed."""

    writers: tuple[tuple[str, ...], ...]
    """Who writes in each of `language.SCRIPTS`, as ISO 639 codes; none for the first."""
    in_han: tuple[str, ...]
    """The one of `writers` that a claim chooses from, or else its first."""
    settled: frozenset[str]
    """Scripts for which the model is not asked."""
    not_latin: frozenset[str]
    """Languages that are not written in Latin letters."""
    claim_of: Callable[[str], str]
    """What a claim amounts to; empty when to nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """The events of some lines, in MessagePack."""

    encoded: bytes
    """One after the other."""
    ends: NDArray[np.int64]
    """The byte behind each line's event, shape (lines,); where the one before ended when the line
    was left."""

    @property
    def left(self) -> list[int]:
        """The lines that were left."""
        left: list[int] = np.flatnonzero(self._sizes() == 0).tolist()
        return left

    def __len__(self) -> int:
        return int(np.count_nonzero(self._sizes()))

    def _sizes(self) -> NDArray[np.int64]:
        return np.diff(self.ends, prepend=0)


def read(lines: Sequence[bytes], seen_ms: Sequence[int], tongues: Tongues) -> Told | None:
    """Return the events of all lines that are plain, 4 µs each; None without the library."""
    library = native.library()
    if library is None or not lines:
        return None
    blob = b"".join(lines)
    ends = np.fromiter(accumulate(map(len, lines)), np.int64, len(lines))
    moments = np.array(seen_ms, np.int64)
    out = np.empty(2 * len(blob) + _ROOM_BYTES * len(lines), np.uint8)
    out_ends = np.empty(len(lines), np.int64)
    known = _known(tongues)
    library.fw_stream(
        blob,
        native.at(ends),
        native.at(moments),
        native.count(len(lines)),
        native.at(_table()),
        ctypes.byref(known.layout),
        native.at(out),
        native.count(len(out)),
        native.at(out_ends),
    )
    return Told(out[: out_ends[-1]].tobytes(), out_ends)


@functools.cache
def _table() -> NDArray[np.uint16]:
    """Return what each code point is to cleaning, shape (POINTS,)."""
    every = "".join(map(chr, range(letters.POINTS)))
    table = np.zeros(letters.POINTS, np.uint16)
    classes = {number: f"[{members}]" for number, members in _CLASSES.items()}
    for number, pattern in {**classes, _LETTER: r"[^\W\d_]"}.items():
        for run in re.finditer(f"{pattern}+", every):
            table[slice(*run.span())] |= number
    table |= letters.marked(("unsure", _DOUBTFUL), ("combining", _COMBINES))
    return table


class _Layout(ctypes.Structure):
    """`Tongues` in csrc/stream.cpp, field by field."""

    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in (
            "letters lowered settled model labels claims not_latin writers writer_starts kinds"
        ).split()
    )


class _Known(NamedTuple):
    layout: _Layout
    held: tuple[object, ...]
    """What the layout points into."""


@functools.cache
def _known(tongues: Tongues) -> _Known:
    model = load(MODEL)
    spelt = ["", *(chr(ord("a") + at) for at in range(_LETTERS))]
    claims = [tongues.claim_of(a + b + c) for a in spelt for b in spelt for c in spelt]
    sizes = [len(codes) + 1 for codes in tongues.writers]
    kinds = [
        _WRITERS_ONE if len(codes) == 1 else _WRITERS_HAN if codes == tongues.in_han else 0
        for codes in tongues.writers
    ]
    kinds_of_letters, lowered = language.tables()
    writers = [code for codes in tongues.writers for code in (*codes, "")]
    arrays = (
        kinds_of_letters,
        lowered,
        np.array([script in tongues.settled for script in language.SCRIPTS], np.uint8),
        _codes(model.labels),
        _codes(claims),
        np.array([claim in tongues.not_latin for claim in claims], np.uint8),
        _codes(writers),
        np.array([0, *accumulate(sizes)][:-1], np.int64),
        np.array(kinds, np.uint8),
    )
    places = [array.ctypes.data for array in arrays]
    places.insert(3, ctypes.addressof(model.layout))
    return _Known(_Layout(*places), (model, arrays))


def _codes(codes: Sequence[str]) -> NDArray[np.uint32]:
    """Return languages by the letters of their codes, the first in the lowest byte."""
    assert all(len(code) <= 3 for code in codes)
    assert sys.byteorder == "little"
    return np.array([int.from_bytes(code.encode(), "little") for code in codes], np.uint32)
