"""The words of a text that are its statement: the plain reference of `csrc/statements.h`.

Left out are links, handles, emoji, punctuation and what only surrounds a statement: the comment
before `RT @x:`, hashtags and labels of links behind it, who published it before or behind a dash,
a word that was cut off by … at the end. A letter of a script without spaces counts as a word.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from fairwitness.kernels.folds import (
    BREAK,
    DIGIT,
    HAN,
    KATAKANA,
    SKIP,
    UNSPACED,
    UPPER,
    WORD,
    fold_of,
    spelt,
)
from fairwitness.kernels.lexicon import DENIAL, DROPPED, HERALD, NUMBER, RETOLD, START, lexicon

POINTS_MAX = 2048
"""Code points; of a longer text the rest is not looked at."""
STATEMENT_MIN = 6
"""Words that must be left for what is beside them to be left out."""
BYLINE_MAX = 4
"""Words before or behind the last dash that may be who published, all of them with a capital."""
INITIAL_LETTERS = 3
"""Letters from which a word that begins a sentence may be a name."""

_ENDS_SENTENCE = frozenset(map(ord, '\n.!?:;"“”«»„([{—–*|/#'))
_ENDS_LINK = frozenset(map(ord, '"<>)]'))
_OPENS_QUOTE = frozenset(map(ord, '"“/'))
_SETS_OFF = frozenset(map(ord, "-–—|"))
_DOT, _COMMA, _SPACE, _AT, _WIDE_AT, _ELLIPSIS, _HASH = map(ord, "., @＠…#")
_OPENS, _CLOSES, _LINK_OPENS = map(ord, "[](")


class Mark(IntEnum):
    """What is counted in a text, by its place in `Statement.marks`."""

    POINTS = 0
    """Code points, links aside."""
    LETTERS = 1
    CAPITALS = 2
    LINKS = 3
    HASHTAGS = 4
    MENTIONS = 5
    PICTURES = 6
    WORDS = 7
    """Of the statement."""
    UNITS = 8
    """Different ones among them; see `sketch`."""


@dataclass(slots=True)
class Word:
    """A word; `kind` is WORD, DIGIT for a number, HAN, UNSPACED, or BREAK for a denial."""

    hashed: int
    kind: int
    start: int
    end: int
    capital: bool = False
    is_name: bool = False
    is_soft: bool = False
    """A hashtag or the label of a link: at the end of a text it is no part of the statement."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one text says."""

    words: list[Word]
    is_cut: bool
    """Ends in … or ..., so the rest of it may be missing."""
    is_cased: bool
    """Some words begin with a capital and most do not, so a capital says that it is a name."""
    marks: list[int]


def statement(text: str) -> Statement:
    """Return the statement of one text."""
    reader = _Reader([ord(char) for char in text[:POINTS_MAX]])
    reader.read()
    is_cut = reader.cut_at == len(reader.words)
    is_cased = reader.capitals > 0 and 2 * reader.inner_capitals <= reader.inner_words
    words = _said(reader, is_cut)
    marks = reader.marks
    marks[Mark.POINTS] += len(reader.points)
    marks[Mark.WORDS] = len(words)
    return Statement(words, is_cut, is_cased, marks)


def _said(reader: "_Reader", is_cut: bool) -> list[Word]:
    words, end = reader.words, len(reader.words)
    start = reader.quote_from if end - reader.quote_from >= STATEMENT_MIN else 0
    if is_cut and end > start and words[end - 1].kind not in (HAN, UNSPACED):
        end -= 1
    hard = end
    while hard > start and words[hard - 1].is_soft:
        hard -= 1
    if hard - start >= STATEMENT_MIN:
        end = hard
    dash = reader.byline_from
    if start < dash <= start + BYLINE_MAX and _is_byline(words[start:dash], end - dash):
        start = dash
    elif dash < end <= dash + BYLINE_MAX and _is_byline(words[dash:end], dash - start):
        end = dash
    return words[start:end]


def _is_byline(words: list[Word], left_words: int) -> bool:
    return left_words >= STATEMENT_MIN and all(word.capital for word in words)


@dataclass(slots=True)
class _Reader:
    """Reads a text from left to right; a method for each thing that it may come upon."""

    points: list[int]
    words: list[Word] = field(default_factory=list)
    marks: list[int] = field(default_factory=lambda: [0] * len(Mark))
    at: int = 0
    quote_from: int = 0
    """Words before this one are a comment on what follows."""
    cut_at: int = -1
    byline_from: int = -1
    """Words from this one on follow a dash, a bar or the like between spaces."""
    label_from: int = -1
    """Words from this one on stand behind an opening bracket."""
    initial: bool = True
    """The next word begins a sentence, so its capital says little."""
    inner_words: int = 0
    inner_capitals: int = 0
    capitals: int = 0

    def read(self) -> None:
        while self.at < len(self.points):
            kind, folded = fold_of(self.points[self.at])
            if self._is_link():
                self._skip_link()
            elif kind == KATAKANA:
                self._katakana()
            elif kind in (HAN, UNSPACED):
                self.words.append(Word(spelt(0, folded), kind, self.at, self.at + 1))
                self.marks[Mark.LETTERS] += 1
                self.at += 1
                self.initial = False
            elif kind not in (BREAK, SKIP):
                self._word()
            elif self.points[self.at] in (_AT, _WIDE_AT):
                self._mention()
            else:
                self._between()

    def _point(self, at: int) -> int:
        return self.points[at] if 0 <= at < len(self.points) else 0

    def _kind(self, at: int) -> int:
        return fold_of(self._point(at))[0]

    def _is_link(self) -> bool:
        if self.points[self.at] | 32 not in (0x68, 0x77):
            return False
        start = "".join(map(chr, self.points[self.at : self.at + 8])).lower()
        return start.startswith(("http://", "https://", "www."))

    def _skip_link(self) -> None:
        start = self.at
        while 0x20 < self._point(self.at) < 0x80 and self._point(self.at) not in _ENDS_LINK:
            self.at += 1
        self.marks[Mark.POINTS] -= self.at - start
        self.marks[Mark.LINKS] += 1
        self.initial = True

    def _mention(self) -> None:
        start = self.at
        self.at += 1
        is_ascii = self._point(self.at) < 0x80
        while self.at < len(self.points) and self._in_handle(is_ascii):
            self.at += 1
        if self.at == start + 1:
            return
        self.marks[Mark.MENTIONS] += 1
        before = self.words[-1] if self.words else None
        if before is not None and start - before.end <= 2 and _known(before.hashed) & RETOLD:
            self.words.pop()
            self.quote_from = len(self.words)
        elif self._point(start - 1) in _OPENS_QUOTE:
            self.quote_from = len(self.words)
        self.initial = True

    def _in_handle(self, is_ascii: bool) -> bool:
        point = self.points[self.at]
        if not is_ascii:
            return point >= 0x80 and self._kind(self.at) not in (BREAK, SKIP)
        point -= 0xFEE0 if 0xFF01 <= point <= 0xFF5E else 0
        return point < 0x80 and (chr(point).isalnum() or chr(point) in "_.-@")

    def _between(self) -> None:
        at, point = self.at, self.points[self.at]
        is_dots = point == self._point(at + 1) == self._point(at + 2) == _DOT
        self.at += 3 if is_dots else 1
        if point == _ELLIPSIS or is_dots:
            self.cut_at = len(self.words)
            self.initial = True
            return
        if point >= 0x2190 or point in _ENDS_SENTENCE:
            self.initial = True
        if 0x2190 <= point < 0x2C00 or point >= 0x1F000:
            self.marks[Mark.PICTURES] += 1
        if point == _OPENS:
            self.label_from = len(self.words)
        elif point == _CLOSES and self._point(at + 1) == _LINK_OPENS and self.label_from >= 0:
            for word in self.words[self.label_from :]:
                word.is_soft = True
        if point in _SETS_OFF and self._point(at - 1) == self._point(at + 1) == _SPACE:
            self.byline_from = len(self.words)

    def _katakana(self) -> None:
        start, hashed = self.at, 0
        while self._kind(self.at) == KATAKANA:
            hashed = spelt(hashed, fold_of(self.points[self.at])[1])
            self.at += 1
        self.marks[Mark.LETTERS] += self.at - start
        is_name = self.at - start > 1
        denies = _known(hashed) & DENIAL
        self.words.append(Word(hashed, BREAK if denies else WORD, start, self.at, is_name=is_name))
        self.initial = False

    def _word(self) -> None:
        start, hashed, letters = self.at, 0, 0
        kind = WORD
        while self.at < len(self.points):
            here, folded = fold_of(self.points[self.at])
            if here in (BREAK, KATAKANA, HAN, UNSPACED) and not self._joins_thousands():
                break
            self.at += 1
            if here in (BREAK, SKIP):
                continue
            letters += 1
            self.marks[Mark.CAPITALS] += here == UPPER
            kind = DIGIT if here == DIGIT else kind
            hashed = spelt(hashed, folded)
        self.marks[Mark.LETTERS] += letters if kind == WORD else 0
        self._add(Word(hashed, kind, start, self.at, self._kind(start) == UPPER), letters)

    def _joins_thousands(self) -> bool:
        """Return whether the separator at hand stands between digits, exactly three to come."""
        if self.points[self.at] not in (_DOT, _COMMA) or self._kind(self.at - 1) != DIGIT:
            return False
        ahead = [self._kind(self.at + 1 + more) == DIGIT for more in range(4)]
        return ahead == [True, True, True, False]

    def _add(self, word: Word, letters: int) -> None:
        bits, number = lexicon().get(word.hashed, (0, 0)) if word.kind == WORD else (0, 0)
        word.is_soft = self._point(word.start - 1) == _HASH
        self.marks[Mark.HASHTAGS] += word.is_soft
        if bits & DROPPED and not (bits & RETOLD and self._at_follows()):
            return
        if bits & HERALD and self.initial:
            return
        if bits & NUMBER:
            word.hashed, word.kind = number, DIGIT
        elif bits & DENIAL:
            word.kind = BREAK
        self.capitals += word.capital
        word.is_name = word.capital and letters > 1 and word.kind == WORD
        if self.initial and (letters < INITIAL_LETTERS or bits & START):
            word.is_name = False
        if not self.initial:
            self.inner_words += 1
            self.inner_capitals += word.capital
        self.initial = False
        self.words.append(word)

    def _at_follows(self) -> bool:
        return any(self._point(self.at + more) in (_AT, _WIDE_AT) for more in (0, 1))


def _known(hashed: int) -> int:
    return lexicon().get(hashed, (0, 0))[0]
