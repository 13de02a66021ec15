"""The words of texts, the same for posts and for questions: folded, in order, and hashed.

Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) become
single characters; an emoji becomes one token, whatever its skin tone, and so do a family joined by
zero-width joiners and a flag; everything else becomes folded words: `Terremoto`, `cafe` for café.
Beside a text (`of_asides`) handles, hashtags and cashtags also stand as wholes, with their sign.
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.kernels import letters, native
from fairwitness.kernels.texts import Texts, pack, unpack

# csrc/words.cpp has the same numbers.
_UNSPACED = 2
_KINDS = (("word", 1), ("unspaced", _UNSPACED), ("emoji", 3), ("flag", 4))
_TOO_LONG_BYTES = 96  # such tokens are keys and noise, and nobody asks for them
_SEVERAL = 0x80000000

# What only says how an emoji is drawn: text or picture, and skin tones.
_STYLE = "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]"


@dataclass(frozen=True, eq=False)
class Words:
    """The tokens of some texts."""

    blob: bytes
    """Those of each text in UTF-8, joined by spaces, and nothing between texts."""
    ends: NDArray[np.int64]
    """The byte behind each text's tokens, shape (texts,)."""
    hashes: NDArray[np.uint64]
    """XXH64 of each token's UTF-8, all texts in a row."""
    starts: NDArray[np.int64]
    """Where the hashes of each text begin, and where the last one's end; shape (texts + 1,)."""

    @functools.cached_property
    def joined(self) -> list[str]:
        """The tokens of each text, joined by spaces; made when first asked for."""
        ends = [0, *self.ends.tolist()]
        return [self.blob[start:end].decode() for start, end in pairwise(ends)]


def of_texts(texts: Sequence[str] | Texts) -> Words:
    """Return the words of what people wrote; a lone surrogate counts as `?`."""
    return _words(texts, 0)


def of_asides(texts: Sequence[str] | Texts) -> Words:
    """Return the same, with `#津波`, `@nasa.gov` or `$tsla` as wholes in the place of theirs."""
    return _words(texts, 1)


def _words(texts: Sequence[str] | Texts, signs: int) -> Words:
    library = native.library()
    if library is None:
        return _words_plainly(unpack(texts) if isinstance(texts, Texts) else texts, _pattern(signs))
    packed = texts if isinstance(texts, Texts) else pack(texts)
    joined = np.empty(2 * len(packed.blob) + 8, np.uint8)
    hashes = np.empty(len(packed.blob), np.uint64)
    ends = np.zeros((2, len(packed) + 1), np.int64)
    kinds, folds, several = _tables()
    library.fw_words(
        packed.blob,
        native.at(packed.ends),
        native.count(len(packed)),
        native.count(signs),
        native.at(kinds),
        native.at(folds),
        several,
        native.at(joined),
        native.at(ends[0, 1:]),
        native.at(hashes),
        native.at(ends[1, 1:]),
    )
    return Words(
        joined[: ends[0, -1]].tobytes(), ends[0, 1:], hashes[: ends[1, -1]].copy(), ends[1]
    )


@functools.cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint32], bytes]:
    """Return the kind of each code point, what it folds to, and the folds of several letters."""
    folds = np.arange(letters.POINTS, dtype=np.uint32)
    several = bytearray()
    for char, folded in letters.folds().items():
        if len(folded) == 1:
            folds[ord(char)] = ord(folded)
            continue
        folds[ord(char)] = _SEVERAL | len(several)
        several += bytes([len(folded.encode())]) + folded.encode()
    return letters.marked(*_KINDS), folds, bytes(several)


def _words_plainly(texts: Sequence[str], pattern: re.Pattern[str]) -> Words:
    folds = str.maketrans(letters.folds())
    tokens = [
        [token for token in _found(pattern, folds, text) if len(token.encode()) < _TOO_LONG_BYTES]
        for text in texts
    ]
    hashes = [xxhash.xxh64_intdigest(token.encode()) for of_text in tokens for token in of_text]
    joined = pack([" ".join(of_text) for of_text in tokens])
    return Words(
        joined.blob,
        joined.ends,
        np.array(hashes, np.uint64),
        np.array([0, *accumulate(map(len, tokens))], np.int64),
    )


def _found(pattern: re.Pattern[str], folds: dict[int, str], text: str) -> list[str]:
    text = text.encode("utf-8", "replace").decode()
    return [
        _without_style(match[1]) if match[1] else match[0].translate(folds)
        for match in pattern.finditer(text)
    ]


def _without_style(emoji: str) -> str:
    return "\u200d".join(part[0] for part in emoji.split("\u200d"))


@functools.cache
def _pattern(signs: int) -> re.Pattern[str]:
    """Return what matches a token; an emoji, which folds in a way of its own, is its group 1."""
    word, unspaced, emoji, flag = (letters.class_of(kind) for kind, _ in _KINDS)
    sign = rf"[#@$][{word}{unspaced}][{word}{unspaced}.\-]*|" if signs else ""
    one = f"[{emoji}]{_STYLE}*"
    return re.compile(rf"{sign}[{word}]+|[{unspaced}]|({one}(?:\u200d{one})*)|[{flag}]{{1,2}}")


def is_unspaced(letter: str) -> bool:
    """Return whether a letter is a token by itself."""
    return bool(_tables()[0][ord(letter)] == _UNSPACED)


def unspaced_runs(text: str) -> list[str]:
    """Return the stretches of `text` in unspaced scripts: of `今日は rain` the first three."""
    return _runs()(text)


@functools.cache
def _runs() -> Callable[[str], list[str]]:
    return re.compile(f"[{letters.class_of('unspaced')}]+").findall
