"""What a claim may say of a quote: stretches of it that can stand alone, cut at the joints of its
sentence and nowhere else.

A joint is where a clause begins or ends: a mark, or one of a few words that join clauses ("as",
"mientras") or that only tell more ("after", "cerca"). Not one word is added, moved, or left out of
the middle, so a cut stands in its quote byte for byte, in any script.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE
from fairwitness.answers.verify import meaning

LESS = 0.85
"""Share of its quote, in characters, that a cut has at most to say less than all of it."""

MIN_WORDS, MAX_WORDS = 3, 24
MIN_UNSPACED_CHARS, MAX_UNSPACED_CHARS = 6, 48
MAX_CUTS = 24
"""Of one quote: a page may have hundreds."""

BETWEEN = frozenset(
    # Clauses end before these and begin behind them.
    "but as while because though pero mientras porque aunque ma mentre perché mas enquanto mais car"
    " aber während weil но пока".split()
)
CLOSING = BETWEEN | frozenset(
    # A clause ends before these.
    "and after before during following amid since until when who which whose where"
    " y e tras después antes durante desde hasta cuando quien donde"
    " dopo prima quando dove após depois onde et après avant pendant depuis quand qui où"
    " und nach vor seit als и после до во время который которая которое которые где".split()
)
TELLING_MORE = CLOSING | frozenset(
    # What these begin tells more: what stands before it says something without it, if need be.
    "near at in on with for from by outside that cerca en con para por ante que"
    " vicino nel nella nei da dal dalla che perto em no na nos nas com près dans avec pour"
    " bei im mit für von der die das wo около в на со с из при".split()
)
_OF = frozenset("of to than de do di du des del della dello dei degli delle zu zum".split())
"""What begins with these belongs to what stands before it."""
_SEGMENT_END = re.compile(
    # A dash is a verb in Russian, and brackets and quotation marks stand in the middle of a clause.
    r"[!?…|•<>。！？；【】\n]+|[;:：](?=\s|$)|\.(?=\s|$)|\.\.+"
    r"|(?<!\S)(?<![а-яё»]\s)[-–—]+(?!\S)|[–—]{2}|--"
)
_COMMA = re.compile(r"[,，、](?!\d)")
_BRACKETED = re.compile(r"\s*[(\[（［].*?[)\]）］]")
_BRACKET = re.compile(r"[(\[（［]")
_PAIRS = tuple(zip("([（［“«「『", ")]）］”»」』", strict=True))
_AROUND = " \t'‘’,;:.-–—*~，、·"
_OF_TWO = re.compile(r"\b(?:between|both|entre|tra|fra|zwischen|между)\b", re.IGNORECASE)
_AND = frozenset("and y e et und и".split())
_WORD = re.compile(r"\S+")
_HANGING = re.compile(r"['’](?:m|re|ll|ve|d)$")
_CUT_SHORT = re.compile(r"\s*\S*(?:\.\.\.|…)\W*$")
"""How a quote ends whose post was cut in the middle of a word."""


def cuts_of(text: str, *, short: bool = False) -> list[str]:
    """Return the cuts of a quote that is on one line, in the order of its words, the longest first
    of those that begin together.

    `short` also begins behind commas, and cuts before what only tells more where nothing else makes
    a cut: either may leave out what was asked for, so it is for those who know the answer and look
    for it in the cut.
    """
    known = _CUT_SHORT.sub("\0", text)
    found: dict[str, None] = {}
    for segment in _SEGMENT_END.split(known):
        begins, ends, weak = _joints(segment)
        for begin in begins:
            if not short and segment[:begin].endswith(","):
                continue
            cuts = _between(segment, begin, ends)
            if short and all(len(cut) > LESS * len(text) for cut in cuts):
                cuts += _between(segment, begin, weak)
            found |= dict.fromkeys(cuts)
    return list(found)[:MAX_CUTS]


def _between(segment: str, begin: int, ends: Sequence[int]) -> list[str]:
    spans = ((begin, end) for end in reversed(ends) if end > begin)
    cuts = (_trimmed(segment[begin:end]) for begin, end in spans if _is_whole(segment, begin, end))
    return [cut for cut in cuts if cut]


def _is_whole(segment: str, begin: int, end: int) -> bool:
    """Whether no pair of commas is torn: what stands between two may belong to what is left out."""
    is_torn = segment[end : end + 1] == "," or segment[:begin].rstrip().endswith(",")
    return not (is_torn and re.search(r",(?!\d)", segment[begin:end]))


def _joints(segment: str) -> tuple[list[int], list[int], list[int]]:
    """Return where in `segment` clauses may begin, where they may end, and where they may if they
    end nowhere else."""
    begins, ends, weak = {0}, {len(segment)}, set[int]()
    if segment.endswith("\0"):
        ends.clear()
    for comma in _COMMA.finditer(segment):
        ends.add(comma.start())
        begins.add(comma.end())
    if tag := _BRACKETED.match(segment):
        begins.add(tag.end())
    weak.update(bracket.start() for bracket in _BRACKET.finditer(segment))
    for word, following in pairwise(_WORD.finditer(segment)):
        folded = word.group().lower()
        if folded in BETWEEN:
            begins.add(word.end())
        if folded in TELLING_MORE and following.group().lower() not in TELLING_MORE:
            is_of_two = folded in _AND and _OF_TWO.search(segment, 0, word.start())
            (ends if folded in CLOSING and not is_of_two else weak).add(word.start())
    return sorted(begins), sorted(ends), sorted(weak)


def _trimmed(cut: str) -> str:
    """Return `cut` without marks around it; empty when it does not say enough, or too much, or
    hangs on what is cut off."""
    cut = cut.strip(_AROUND)
    if (cut[:1], cut[-1:]) in (('"', '"'), *_PAIRS):
        cut = cut[1:-1]
    if "[" in cut or cut.count('"') % 2:
        return ""
    if any(cut.count(one) != cut.count(other) for one, other in _PAIRS):
        return ""
    unspaced = sum(len(run.group()) for run in words.unspaced_runs(cut))
    if 2 * unspaced >= len(cut):
        fits = MIN_UNSPACED_CHARS <= len(cut) <= MAX_UNSPACED_CHARS
    else:
        said = cut.lower().split()
        fits = MIN_WORDS <= len(said) <= MAX_WORDS and not _hangs(said)
    return cut if fits and len(meaning(cut)) > 1 else ""


def _hangs(said: list[str]) -> bool:
    return (
        said[0] in TELLING_MORE | _OF or said[-1] in GLUE or _HANGING.search(said[-1]) is not None
    )
