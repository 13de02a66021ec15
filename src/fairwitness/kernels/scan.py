"""What a text may hold that cleaning has to look at: one byte of bits for each text.

Most texts have nothing odd, and `scan` says so for a whole batch, so that no regular expression is
run over them. A bit that is not set is certain; `UNSURE` that is set may still come to nothing.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import letters, native
from fairwitness.kernels.texts import pack

ODD = 1
"""A character that cleaning takes out or folds, or a space before another one."""
UNSURE = 2
"""Perhaps not in NFC. Without it the text is certainly normal."""
AMPERSAND = 4
LESS_THAN = 8
LINK = 16
"""`://`"""
HASH = 32
"""`#`, or the wide one"""
AT = 64
"""`@`, or the wide one"""
EDGE = 128
"""White space before the first or behind the last word, as `str.strip` knows it."""

SPACES = " \t-\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space, as a class of regular expressions."""
# C0/C1 controls; soft hyphens and zero-width spaces, which part words that read as one;
# bidirectional overrides and isolates, which make text read as what it does not say (Trojan Source,
# CVE-2021-42574); invisible operators, annotation marks, the byte order mark; tag characters and
# their unassigned neighbours, carriers of hidden prompts; surrogates that no UTF-8 can carry.
# Zero-width joiners and direction marks stay: emoji, Indic, Persian and Hebrew are spelt with them.
HIDDEN = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
"""Characters that nobody sees, as a class of regular expressions."""
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Characters that choose a glyph for the one before them, as a class of regular expressions."""

_FOLDED = " \n\u3000"  # the spaces that may stay, if they stand alone

# What the table says beside the bits above; csrc/scan.cpp has the same numbers.
_SPACE, _IS_FOLDED, _FOLLOWS, _COMBINES, _COLON = 0x100, 0x200, 0x400, 0x800, 0x1000
_TOLD = 0xFF & ~(LINK | EDGE)


def scan(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return the bits of each text, shape (texts,); 0.3 µs for 200 characters."""
    library = native.library()
    if library is None:
        return _scan_plainly(texts)
    packed = pack(texts, "surrogatepass")
    told = np.empty(len(packed), np.uint8)
    library.fw_scan(
        packed.blob,
        native.at(packed.ends),
        native.count(len(packed)),
        native.at(_table()),
        native.at(told),
    )
    return told


@functools.cache
def _table() -> NDArray[np.uint16]:
    """Return what each code point means by itself and to its neighbours, shape (POINTS,)."""
    table = letters.marked(("unsure", UNSURE)).astype(np.uint16)
    table |= letters.marked(("combining", 1)).astype(np.uint16) * _COMBINES
    spaces, hidden, selectors = map(_points, (SPACES, HIDDEN, SELECTORS))
    table[sorted(({*spaces, *hidden} - set(_points(_FOLDED))) | set(selectors))] |= ODD
    table[sorted({*spaces, *hidden})] |= _FOLLOWS
    table[_points(_FOLDED)] |= _IS_FOLDED
    table[[point for point in range(0x3001) if chr(point).isspace()]] |= _SPACE
    for bit, chars in (
        (AMPERSAND, "&"),
        (LESS_THAN, "<"),
        (HASH, "#＃"),
        (AT, "@＠"),
        (_COLON, ":"),
    ):
        table[_points(chars)] |= bit
    return table


def _points(within: str) -> list[int]:
    """Return the code points of a regular expression's class; `-` always stands for a range."""
    points: list[int] = []
    pieces = within.split("-")
    for number, piece in enumerate(pieces):
        if number:
            points += range(points[-1] + 1, ord(piece[0]))
        points += map(ord, piece)
    return points


def _scan_plainly(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return the same bits, all texts at once as code points in numpy."""
    # A line of NUL between the texts keeps neighbours apart; it is odd itself and not counted.
    joined = "\0".join([*texts, ""])
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    if not len(points):
        return np.zeros(0, np.uint8)
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    starts = np.concatenate(([0], ends[:-1] + 1))
    table = _table()[points]
    table[ends] = 0
    before = np.concatenate(([np.uint16(0)], table[:-1]))
    told = table & _TOLD
    told |= np.where((before & _IS_FOLDED != 0) & (table & _FOLLOWS != 0), ODD, 0).astype(np.uint16)
    told |= np.where(before & table & _COMBINES, UNSURE, 0).astype(np.uint16)
    slash = points == ord("/")
    slashes = np.concatenate((slash[1:] & np.concatenate((slash[2:], [False])), [False]))
    told |= np.where((table & _COLON != 0) & slashes, LINK, 0).astype(np.uint16)
    found = np.bitwise_or.reduceat(told, starts)
    edges = (table[starts] | before[ends]) & _SPACE
    # An empty text starts at its own end, and the end before it is no edge of it.
    edges[starts == ends] = 0
    return (found | np.where(edges, EDGE, 0)).astype(np.uint8)
