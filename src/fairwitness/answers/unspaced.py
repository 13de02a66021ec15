"""The words of a question where no spaces part them.

Chinese: what only glues is cut out, words that we know a sense of stand alone, and of the rest each
two neighbouring characters. Japanese tells by its scripts: katakana is one word from abroad, mostly
a name, Han are pairs as in Chinese, and hiragana is grammar unless it is long.
"""

import re
from collections.abc import Iterator

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE_JAPANESE, GLUE_UNSPACED
from fairwitness.answers.senses import SENSES

_KANA = re.compile(r"[\u3041-\u30ff]")
_KATAKANA = re.compile(r"[ァ-ヺーヽヾ]")
_HIRAGANA = re.compile(r"[ぁ-ゖ]")
_SCRIPTS = re.compile(r"[ァ-ヺーヽヾ]+|[ぁ-ゖ]+|[^ァ-ヺーヽヾぁ-ゖ・]+")
_PLACE = re.compile(
    r"(?<![\u3400-\u9fff])([\u3400-\u9fff]{2}|[\u3400-\u9fff](?=湾|島))[県市州町村島湾沖灘道府省县]"
)
_LONG_KATAKANA = 3
_LONG_HIRAGANA = 4
_KNOWN = re.compile(
    "("
    + "|".join(
        sorted(
            {w for sense in SENSES for w in sense.words if words.is_unspaced(w)},
            key=len,
            reverse=True,
        )
    )
    + ")"
)


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of the unspaced runs of a question, and whether each is a name."""
    if _KANA.search(text):
        found = [piece for part in _KNOWN.split(text) for piece in _japanese(part)]
        longer = [piece for piece in found if len(piece[0]) > 1]
        yield from longer or found  # one letter alone is the root of a verb
        return
    for run in words.unspaced_runs(GLUE_UNSPACED.sub("\n", text)):
        yield from _han(run.group())


def _japanese(text: str) -> Iterator[tuple[str, bool]]:
    if _KNOWN.fullmatch(text):
        yield text, False
        return
    for part in _SCRIPTS.findall(GLUE_JAPANESE.sub("\n", text)):
        if _KATAKANA.match(part):
            if len(part) > 1:
                yield part, len(part) >= _LONG_KATAKANA
        elif not _HIRAGANA.match(part):
            for run in words.unspaced_runs(part):
                yield from _han(run.group())
        elif len(part) >= _LONG_HIRAGANA:
            yield from ((pair, False) for pair in words.pairs(part))


def _han(run: str) -> Iterator[tuple[str, bool]]:
    """Part a run: its place, words that we know a sense of, and the pairs of what is left."""
    place = _PLACE.match(run)
    if place:
        yield place.group()[:2], True
        run = run[place.end() :]
    found = []
    for part in _KNOWN.split(run):
        if _KNOWN.fullmatch(part):
            found.append(part)
        elif len(part) > 1:
            found += words.pairs(part)
    if not found and run and not place:
        found = words.pairs(run)
    yield from ((piece, False) for piece in found)
