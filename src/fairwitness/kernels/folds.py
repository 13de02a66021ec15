"""What copies are blind to: a table from each code point to its kind and its folded self.

Two texts are compared after folding: case, accents, width (NFKC) and digits of any script fold to
one. The table is made of Python's Unicode data when first asked for, and the C++ kernel gets it as
an array, so both sides fold alike.
"""

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

BREAK, WORD, UPPER, DIGIT, KATAKANA, HAN, UNSPACED, SKIP = range(8)
"""Kinds: between words; a letter; a capital; a digit; letters of scripts that put no space between
words: those that spell foreign names, Han and others; a mark or joiner inside of a word, left
out."""

POINTS = 0x20000
"""Code points in the table; beyond it there are only rare Han, which fold to themselves."""

_MULTIPLY = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1

_HAN = ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_KATAKANA = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF))
# Hiragana; Thai, Lao; Myanmar; Khmer.
_UNSPACED = (
    (0x3031, 0x3035),
    (0x3041, 0x309F),
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17D3),
)
# Accents; Hebrew points; Arabic vowel signs; variation selectors; the kana voicing marks.
_MARKS = ((0x300, 0x36F), (0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0xFE00, 0xFE0F))
# Han and Hangul syllables, two thirds of the table: nothing to ask for.
_ALREADY_FOLDED = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
_APOSTROPHES = "'’‘ʼʹ＇ـ"


@cache
def fold_table() -> NDArray[np.uint32]:
    """Return kind << 24 | folded code point of each code point below POINTS, shape (POINTS,)."""
    table = np.arange(POINTS, dtype=np.uint32)
    rest = np.ones(POINTS, bool)
    for first, last in _ALREADY_FOLDED:
        table[first : last + 1] |= (HAN if first < 0xA000 else WORD) << 24
        rest[first : last + 1] = False
    points = np.flatnonzero(rest)
    table[points] = [_entry(point) for point in points.tolist()]
    return table


def fold_of(point: int) -> tuple[int, int]:
    """Return kind and folded code point of one."""
    if point < POINTS:
        entry = _fold_list()[point]
        return entry >> 24, entry & 0xFFFFFF
    return (HAN, point) if 0x20000 <= point < 0x40000 else (BREAK, point)


@cache
def _fold_list() -> list[int]:
    return [int(entry) for entry in fold_table()]


def spelt(so_far: int, folded: int) -> int:
    """Return the hash of a word with one more letter, a folded code point."""
    hashed = ((so_far ^ folded) * _MULTIPLY) & _MASK
    return hashed ^ hashed >> 29


def mixed(so_far: int, hashed: int) -> int:
    """Return the hash of a sequence of hashes with one more."""
    both = ((so_far ^ hashed) * _MULTIPLY) & _MASK
    return both ^ both >> 32


def word_hash(folded: str) -> int:
    """Return the 64-bit hash of a folded word, as the kernel makes it."""
    hashed = 0
    for char in folded:
        hashed = spelt(hashed, ord(char))
    return hashed


def _entry(point: int) -> int:
    char = chr(point)
    category = unicodedata.category(char)
    if category == "Cf" or char in _APOSTROPHES:
        return SKIP << 24
    if category[0] in "PSZC":
        return BREAK << 24 | point
    if _within(point, _MARKS):
        return SKIP << 24
    folded = unicodedata.normalize("NFKC", char).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded) if not _within(ord(c), _MARKS))
    bare = unicodedata.normalize("NFC", bare)[:1] or char
    return _kind(char, bare) << 24 | ord(_digit(bare))


def _digit(char: str) -> str:
    return str(unicodedata.decimal(char)) if unicodedata.category(char) == "Nd" else char


def _kind(char: str, bare: str) -> int:
    category = unicodedata.category(bare)
    if category == "Nd":
        return DIGIT
    if category[0] not in "LM":
        return BREAK
    if _within(ord(bare), _HAN):
        return HAN
    if _within(ord(bare), _KATAKANA):
        return KATAKANA
    if _within(ord(bare), _UNSPACED):
        return UNSPACED
    if category[0] == "M" and 0x3000 <= ord(bare) < 0x3100:
        return SKIP
    return UPPER if char.isupper() or char.istitle() else WORD


def _within(point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= point <= last for first, last in ranges)
