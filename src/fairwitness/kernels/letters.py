"""What each code point is to the kernels, read from one table by the native and the plain ones.

A table of bytes, one for each code point, goes to a kernel as it is: there are no tables in C++
that could say something else than these.
"""

import functools
import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

POINTS = 0x110000
"""So many code points are there."""

MARKS = "".join(
    char for char in map(chr, range(0x300, 0x1B00)) if unicodedata.category(char).startswith("M")
)
r"""The combining marks that words are spelt with; Python's `\w` leaves them out."""

TABLE = Path(__file__).with_name("letters.tsv")


@functools.cache
def _rows() -> tuple[tuple[str, str, str], ...]:
    lines = TABLE.read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple((kind, first, last) for kind, first, last in rows)


def ranges_of(kind: str) -> list[tuple[int, int]]:
    """Return first and last code point of each run of a kind, ascending.

    `word`, `unspaced`, `emoji`, `flag` (half of one): what words are made of, each letter in at
    most one of them. `combining`: a mark that NFC may put elsewhere. `unsure`: what NFC may change.
    """
    return [(int(first, 16), int(last, 16)) for is_a, first, last in _rows() if is_a == kind]


def class_of(kind: str) -> str:
    """Return a kind as what stands between the brackets of a regular expression's class."""
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges_of(kind))


@functools.cache
def folds() -> dict[str, str]:
    """Return what becomes of letters that do not stay: lower case, without accents (é: e, Æ: ae).

    What Lucene's and tantivy's lower-case and ASCII filters make of a letter, and i for İ.
    """
    found = (row[1:] for row in _rows() if row[0] == "fold")
    return {char: folded for folded, chars in found for char in chars}


def marked(*kinds: tuple[str, int]) -> NDArray[np.uint8]:
    """Return a number for each code point: of the kinds it is of, or-ed; shape (POINTS,)."""
    table = np.zeros(POINTS, np.uint8)
    for kind, number in kinds:
        for first, last in ranges_of(kind):
            table[first : last + 1] |= number
    return table
