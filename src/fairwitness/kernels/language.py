"""What a text's words are written in: its script, and the guess of fastText's language model.

Short posts full of names and links fool any model, so links, handles, tags, digits and signs are
taken out first. The model (Joulin et al. 2016, arXiv:1607.01759) is asked only about scripts that
several languages share.
"""

import ctypes
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import letters, native
from fairwitness.kernels.lid import MODEL, load
from fairwitness.kernels.texts import pack

if TYPE_CHECKING:
    import fasttext

# https://www.unicode.org/Public/UNIDATA/Blocks.txt. csrc/language.cpp knows the first two.
_SCRIPTS = {
    "kana": r"\u3040-\u30ff\uff66-\uff9f",
    "han": r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "greek": r"\u0370-\u03ff\u1f00-\u1fff",
    "cyrillic": r"\u0400-\u052f",
    "armenian": r"\u0530-\u058f",
    "hebrew": r"\u0590-\u05ff",
    "arabic": r"\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "devanagari": r"\u0900-\u097f",
    "bengali": r"\u0980-\u09ff",
    "gurmukhi": r"\u0a00-\u0a7f",
    "gujarati": r"\u0a80-\u0aff",
    "oriya": r"\u0b00-\u0b7f",
    "tamil": r"\u0b80-\u0bff",
    "telugu": r"\u0c00-\u0c7f",
    "kannada": r"\u0c80-\u0cff",
    "malayalam": r"\u0d00-\u0d7f",
    "sinhala": r"\u0d80-\u0dff",
    "thai": r"\u0e00-\u0e7f",
    "lao": r"\u0e80-\u0eff",
    "tibetan": r"\u0f00-\u0fff",
    "myanmar": r"\u1000-\u109f",
    "georgian": r"\u10a0-\u10ff\u1c90-\u1cbf",
    "hangul": r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "ethiopic": r"\u1200-\u139f",
    "khmer": r"\u1780-\u17ff",
}
SCRIPTS = ("", *_SCRIPTS)
"""The scripts that are told apart; the first is Latin, a mixture, or any other."""

_WORD = rf"\w{letters.MARKS}"
_JOINERS = "\u200c\u200d"
_SIGNS = "@#＠＃"
_NOT_WORDS = re.compile(
    rf"https?://\S+|[{_SIGNS}][{_WORD}]*|[\d_]+|[^{_WORD}{_JOINERS}{_SIGNS}]+", re.IGNORECASE
)
_SAMPLE_CHARS = 400
_MODEL_CHARS = 200

# csrc/language.cpp has the same numbers; a later kind wins.
_KINDS = {1: r"\s", 2: _WORD, 3: _JOINERS, 4: r"\d_", 5: _SIGNS}
_SCRIPT_SHIFT = 3
_LETTERS_END = 0x40000
"""No letter of any script has a code point as high."""


@dataclass(frozen=True, slots=True)
class Look:
    """What some texts' words look like; each list has one for each text."""

    chars: list[int]
    """How many characters the words are, spaces between them included; not counted beyond 400."""
    scripts: list[int]
    """The script of most of them, as its place in `SCRIPTS`."""
    guesses: list[str]
    """The model's language (ISO 639); empty where it was not asked."""
    scores: list[float]
    """How likely the model thinks it, up to 1 and a rounding error."""


def look(texts: Sequence[str], settled: frozenset[str]) -> Look:
    """Look at texts, 3 µs each; the model is not asked about scripts that are `settled`."""
    library = native.library()
    if library is None:
        return _look_plainly(texts, settled)
    packed = pack(texts)
    told = np.empty((3, len(packed)), np.int32)
    scores = np.empty(len(packed), np.float32)
    known = _known(settled)
    library.fw_language(
        packed.blob,
        native.at(packed.ends),
        native.count(len(packed)),
        *known.addresses,
        native.at(told),
        native.at(scores),
    )
    chars, scripts, labels = told.tolist()
    return Look(chars, scripts, [known.labels[label] for label in labels], scores.tolist())


class _Known(NamedTuple):
    """What a kernel is given at each call."""

    addresses: tuple[ctypes.c_void_p, ...]
    labels: list[str]
    held: tuple[object, ...]
    """What is at the addresses."""


@functools.cache
def _known(settled: frozenset[str]) -> _Known:
    is_settled = np.array([script in settled for script in SCRIPTS], np.uint8)
    kinds, lowered = tables()
    model = load(MODEL)
    addresses = (
        native.at(kinds),
        native.at(lowered),
        native.at(is_settled),
        ctypes.c_void_p(ctypes.addressof(model.layout)),
    )
    return _Known(addresses, model.labels, (kinds, lowered, is_settled, model))


@functools.cache
def tables() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return kind and script of each code point, and its lower case; both of shape (POINTS,)."""
    every = "".join(map(chr, range(_LETTERS_END)))
    kinds = np.zeros(letters.POINTS, np.uint8)
    for kind, members in _KINDS.items():
        for run in re.finditer(f"[{members}]+", every):
            kinds[slice(*run.span())] = kind
    for number, members in enumerate(_SCRIPTS.values(), start=1):
        for run in re.finditer(f"[{members}]+", every):
            kinds[slice(*run.span())] |= number << _SCRIPT_SHIFT
    lowered = np.arange(letters.POINTS, dtype=np.uint32)
    for char in every:
        # İ becomes two characters; the kernel knows.
        lowered[ord(char)] = ord(char.lower()[0])
    return kinds, lowered


def _look_plainly(texts: Sequence[str], settled: frozenset[str]) -> Look:
    found = Look([], [], [], [])
    for text in texts:
        whole = text.encode("utf-8", "replace").decode()
        words = _NOT_WORDS.sub(" ", whole).strip()[:_SAMPLE_CHARS]
        script = _script_of(words)
        is_asked = words and SCRIPTS[script] not in settled
        guess, score = _guess(words) if is_asked else ("", 0.0)
        found.chars.append(len(words))
        found.scripts.append(script)
        found.guesses.append(guess)
        found.scores.append(score)
    return found


_BEYOND_LATIN = re.compile(r"[\u0370-\u1dbf\u3040-\uffff\U00020000-\U0003ffff]")
_LETTERS_OF = [re.compile(f"[{members}]") for members in _SCRIPTS.values()]


def _script_of(words: str) -> int:
    if not _BEYOND_LATIN.search(words):
        return 0
    letters_count = len(words.replace(" ", ""))
    kana, han = (len(letter.findall(words)) for letter in _LETTERS_OF[:2])
    # Japanese mixes kana with Han, so a little kana in a Han text is enough.
    if kana + han > 0.3 * letters_count:
        return 1 if kana > 0.05 * letters_count else 2
    for number, letter in enumerate(_LETTERS_OF[2:], start=3):
        if len(letter.findall(words)) > 0.4 * letters_count:
            return number
    return 0


def _guess(words: str) -> tuple[str, float]:
    labels, scores = _fasttext().predict(words[:_MODEL_CHARS].lower(), k=1)
    return (labels[0].removeprefix("__label__"), float(scores[0])) if labels else ("", 0.0)


@functools.cache
def _fasttext() -> "fasttext.FastText":
    import fasttext

    return fasttext.load_model(str(MODEL))
