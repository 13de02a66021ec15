"""Words as matching sees them: folded, stemmed, and in Chinese, Japanese and Thai by pairs.

One stemmer for all languages, on purpose light: it takes off the plural and the last vowel, so that
`vittima` meets `vittime` and `kills` meets `killed`, and never needs to know the language; Cyrillic
has endings of its own, so that `Москвы` meets `в Москве`. A word in katakana is one word.
"""

import functools
import re
import unicodedata

_TOKEN = re.compile(r"[^\W_]+")
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_KATAKANA = re.compile(r"[ァ-ヺーヽヾ]{2,}")
# An apostrophe stays inside English contractions and parts the article elsewhere (l'alluvione).
_SPACED_TOKEN = re.compile(
    rf"(?:(?![{_UNSPACED}])[^\W_])+(?:['’](?:s|t|re|ve|ll|d|m)(?![^\W_]))?", re.IGNORECASE
)


@functools.lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Return `text` in lower case without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", "".join(c for c in decomposed if not _is_accent(c)))


def _is_accent(char: str) -> bool:
    # Only the accents of European scripts: a Devanagari or Thai vowel sign is a letter.
    return "\u0300" <= char <= "\u036f"


_CYRILLIC = re.compile(r"[а-яіїєґўђјљњћџ]")
# As folding leaves them: it takes the breve off й and the dots off ё.
_CYRILLIC_ENDINGS = tuple(
    "иями ями ами ого его ому ему ыми ими иях ях ах ов ев еи ии ыи ои ая яя ое ее ые ие ую юю ом ем"
    " ам ям ия ию ла ло ли а я о е ы и у ю ь л".split()
)
CYRILLIC_FORMS = tuple(
    "а ы и у ю е о я ом ем ой ей ов ам ах ями ами ь ый ая ое ые ого ых ым л ла ло ли".split()
)
"""What a stem in Cyrillic may end with: an index knows whole words alone."""


@functools.lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return what the forms of `word` share; a number, and a word of an unspaced script, is its own
    stem."""
    folded = fold(word)
    for tail in ("'s", "’s"):
        folded = folded.removesuffix(tail)
    if len(folded) <= 3 or folded.isdigit() or _UNSPACED_RUN.search(folded):
        return folded
    if _CYRILLIC.match(folded):
        return _cyrillic_stem(folded)
    for ending in ("ing", "ed", "es", "os", "as", "s"):
        if folded.endswith(ending) and len(folded) - len(ending) >= 3:
            folded = folded[: -len(ending)]
            break
    if len(folded) > 3 and folded[-1] == folded[-2] and folded[-1] not in "aeiouls":
        folded = folded[:-1]
    return folded[:-1] if len(folded) > 3 and folded[-1] in "aeiou" else folded


def _cyrillic_stem(folded: str) -> str:
    folded = folded[:-2] if folded[-2:] in ("ся", "сь") and len(folded) > 5 else folded
    for ending in _CYRILLIC_ENDINGS:
        if folded.endswith(ending) and len(folded) - len(ending) >= 3:
            return folded[: -len(ending)]
    return folded


def spaced(text: str) -> list[re.Match[str]]:
    """Return the words of the scripts that put spaces between them, where they stand."""
    return list(_SPACED_TOKEN.finditer(text))


def unspaced_runs(text: str) -> list[re.Match[str]]:
    """Return the stretches of Chinese, Japanese kana and Thai, where they stand."""
    return list(_UNSPACED_RUN.finditer(text))


def is_unspaced(word: str) -> bool:
    """Whether `word` is written in a script without spaces between words."""
    return _UNSPACED_RUN.search(word) is not None


def is_cyrillic(word: str) -> bool:
    """Whether `word` is written in Cyrillic."""
    return _CYRILLIC.match(fold(word)) is not None


def pairs(run: str) -> list[str]:
    """Return each two neighbouring characters of a run of an unspaced script, or the only one."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def stems(text: str) -> frozenset[str]:
    """Return the stems of all words of `text`, and the pairs of its unspaced runs."""
    found = {stem(match.group()) for match in _SPACED_TOKEN.finditer(text)}
    for run in _UNSPACED_RUN.finditer(text):
        found.update(pairs(run.group()))
        found.update(_KATAKANA.findall(run.group()))
    return frozenset(found)


def squeezed(text: str) -> str:
    """Return the folded text with only letters and digits: how names hide in hashtags."""
    return "".join(_TOKEN.findall(fold(text)))
