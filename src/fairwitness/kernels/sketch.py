"""What a text says, as a small sketch in which copies look alike: the plain reference.

From the words of a statement come three things:

- `exact`: one hash of all of them in order, the same for texts that differ in nothing else;
- `units`: a sorted set of 16-bit hashes, at most UNITS of them, to compare two texts by. A unit is
  a word, or two letters (three outside Han) of a script without spaces. Denials and numbers sort
  first, so they are kept however long the text is; of the rest the smallest hashes are a fair
  sample (bottom-k sketch; Broder, On the resemblance and containment of documents, 1997);
- `keys`: the smallest KEYS hashes of runs of words. Texts with most runs in common have most
  probably one of these in common, so a table from key to text finds the texts worth comparing.

`csrc/sketch.h` is the same in C++; a test holds the two equal.
"""

from dataclasses import dataclass

from fairwitness.kernels.folds import BREAK, DIGIT, HAN, UNSPACED, WORD, mixed
from fairwitness.kernels.lexicon import DENYING, PLACE, lexicon
from fairwitness.kernels.statements import Mark, Word, statement

UNITS = 128
KEYS = 4
"""With four, every pair of the labelled set that compares as a copy shares one; with three, 99 %
do (`benchmarks/copies.py`)."""
UNITS_MIN = 5
"""Texts of fewer units have no keys: they are copies only when they are exactly the same."""
DENIALS_END = 8
NUMBERS_END = 1 << 13
"""Hashes of units: first come denials, below this numbers, then words."""

CUT = 1
CASED = 2
"""Flags, as in `Statement`."""

ALIKE = 450
"""Likeness of two texts from which one is a copy of the other; chosen on the labelled set."""
_LONG_UNITS = 40
"""So many units in common are no accident, whatever else the texts say."""
_SHORT_UNITS = 10
"""Fewer in common may be one, so each that is missing counts against it."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """One text. `count` is how many units it has in all; `units` are the smallest of them."""

    exact: int
    """0 when the text has no letter and no digit."""
    units: tuple[int, ...]
    """hash << 1 | is a name, ascending."""
    count: int
    keys: tuple[int, ...]
    flags: int
    marks: tuple[int, ...]
    """Counts, see `Mark`."""


def sketch(text: str) -> Sketch:
    """Return the sketch of one text."""
    said = statement(text)
    exact = 0
    for word in said.words:
        exact = mixed(exact, word.hashed)
    units = _units(said.words, said.is_cased)
    keys = _keys(said.words) if len(units) >= UNITS_MIN else ()
    said.marks[Mark.UNITS] = len(units)
    flags = CUT * said.is_cut | CASED * said.is_cased
    return Sketch(exact, tuple(units[:UNITS]), len(units), keys, flags, tuple(said.marks))


def _units(words: list[Word], is_cased: bool) -> list[int]:
    """Return all units, ascending; one that comes as a name and otherwise is no name."""
    found: set[int] = set()
    counts: dict[int, int] = {}
    for at, word in enumerate(words):
        if word.kind in (BREAK, DIGIT):
            found.add(_counted(counts, word.hashed if word.kind == DIGIT else 0))
        elif word.kind == WORD:
            found.add(_plain(word.hashed) << 1 | (word.is_name and (is_cased or not word.capital)))
        else:
            hashed = _letters(words, at)
            bits = lexicon().get(hashed, (0, 0))[0]
            if bits & DENYING:
                found.add(_counted(counts, 0))
            elif hashed:
                found.add(_plain(hashed) << 1 | bool(bits & PLACE))
    units: list[int] = []
    for unit in sorted(found):
        if not units or units[-1] >> 1 != unit >> 1:
            units.append(unit)
    return units


def _counted(counts: dict[int, int], hashed: int) -> int:
    """Return the unit of a number or of a denial (0); each further time it is another one."""
    times = counts[hashed] = counts.get(hashed, 0) + 1
    if hashed == 0:
        return min(times - 1, DENIALS_END - 1) << 1
    return (DENIALS_END + mixed(hashed, times) % (NUMBERS_END - DENIALS_END)) << 1


def _letters(words: list[Word], at: int) -> int:
    """Return the hash of the letters of the unit that begins at `at`, 0 when none does."""
    width = 2 if words[at].kind == HAN else 3
    hashed, taken = words[at].hashed, 1
    while taken < width and _follows(words, at + taken):
        hashed = mixed(hashed, words[at + taken].hashed)
        taken += 1
    return hashed if taken == width or not _follows(words, at) else 0


def _follows(words: list[Word], at: int) -> bool:
    """Return whether the letter at `at` directly follows another one."""
    if not 0 < at < len(words):
        return False
    one, other = words[at - 1], words[at]
    letters = one.kind in (HAN, UNSPACED) and other.kind in (HAN, UNSPACED)
    return letters and one.end == other.start


def _plain(hashed: int) -> int:
    return NUMBERS_END + hashed % (0x8000 - NUMBERS_END)


def _keys(words: list[Word]) -> tuple[int, ...]:
    found = set()
    for at, word in enumerate(words):
        width = 4 if word.kind in (HAN, UNSPACED) else 2
        if at + width <= len(words):
            key = 0
            for each in words[at : at + width]:
                key = mixed(key, each.hashed)
            found.add(key)
    return tuple(sorted(found)[:KEYS])


@dataclass(slots=True)
class _Left:
    """Units of one text that the other lacks, by what they are."""

    is_cut: int
    denials: int = 0
    numbers: int = 0
    names: int = 0
    others: int = 0

    def count(self) -> int:
        return self.denials + self.numbers + self.names + self.others


def likeness(one: Sketch, other: Sketch) -> int:
    """Return how alike two texts are, 0 to 1000: mostly the Jaccard index of their units.

    0 when they say different things whatever else they share: each has a name that the other
    lacks, the shorter one has a number or a denial of its own, the longer one adds a name to few
    words, or too many words are exchanged rather than left out. What a text that was cut off lacks
    does not count against it.
    """
    if one.exact and one.exact == other.exact:
        return 1000
    common, less, more = _compared(one, other)
    if common == 0 or _differs(common, less, more, one.flags & other.flags & CASED):
        return 0
    shorter = common + less.count()
    longer = common + more.count()
    alike = 1000 * common // (longer + less.count())
    if less.is_cut and shorter >= 8 and 100 * shorter >= 35 * longer:
        alike = max(alike, 1000 * common // shorter - 200)
    if common >= _LONG_UNITS:
        alike += 100
    return min(max(alike - 60 * max(_SHORT_UNITS - common, 0), 0), 1000)


def _differs(common: int, less: _Left, more: _Left, is_cased: int) -> bool:
    if less.denials or (more.denials and (more.is_cut or not less.is_cut)):
        return True
    if less.numbers or (less.names and more.names):
        return True
    if more.numbers and not less.is_cut and (less.count() or common < 2 * _SHORT_UNITS):
        return True
    # A short text is contained in many that say more, about somebody.
    if common < _SHORT_UNITS and not less.is_cut and more.names and more.count() > 2:
        return True
    return common < _LONG_UNITS and less.count() * (6 if is_cased else 8) > common


def _compared(one: Sketch, other: Sketch) -> tuple[int, _Left, _Left]:
    """Return how many units both have, and what is left of the shorter and of the longer one."""
    end = min(_known_until(one), _known_until(other))
    left = [_Left(one.flags & CUT), _Left(other.flags & CUT)]
    sides = [{unit >> 1 for unit in each.units} for each in (one, other)]
    common = sum(unit < end for unit in sides[0] & sides[1])
    for side, each in enumerate((one, other)):
        for unit in each.units:
            if unit >> 1 < end and unit >> 1 not in sides[1 - side]:
                _count(left[side], unit)
    if left[0].count() < left[1].count():
        return common, left[0], left[1]
    return common, left[1], left[0]


def _known_until(each: Sketch) -> int:
    """Return the hash below which all units are known."""
    return (each.units[-1] >> 1) + 1 if each.count > len(each.units) else 0x8000


def _count(left: _Left, unit: int) -> None:
    if unit >> 1 < DENIALS_END:
        left.denials += 1
    elif unit >> 1 < NUMBERS_END:
        left.numbers += 1
    elif unit & 1:
        left.names += 1
    else:
        left.others += 1
