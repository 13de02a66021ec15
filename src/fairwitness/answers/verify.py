"""Does a claim say only what its quotes say? Checked before anything of ours is shown.

Names, numbers, negation and who did what to whom are checked one by one, each a way in which small
models go wrong; then every word of the claim that carries meaning must be found in the quotes. A
claim that fails is dropped, never mended by guessing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE, NEGATED, NUMBER_WORDS, UNREAL
from fairwitness.answers.quote import Span
from fairwitness.answers.senses import SENSES

SUPPORTED = 0.8
"""Share of a claim's words that one quote, or all its quotes together, must carry."""

MAX_CLAIM_CHARS = 300

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<![\w#@])[#@]?[A-ZÀ-ÞА-Я][\w'’-]*")
_NOT_PROSE = re.compile(r"https?://|www\.|[<>{}\[\]|`*]|\n|#\w|@\w")
_FOLDED_GLUE = frozenset(map(words.fold, GLUE)) | frozenset(
    "according reported reports report sources source post posts quote quotes accounts".split()
)
_SENSE_OF = {stem: s.name for s in SENSES for word in s.words for stem in words.stems(word)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a claim. It holds when `problem` is empty."""

    support: float
    cites: tuple[int, ...]
    """Places in the given quotes that carry the claim."""
    problem: str = ""


def verify(claim: str, quotes: Sequence[Span]) -> Verdict:
    """Check `claim` against `quotes`."""
    problem = _form(claim) or _names_and_numbers(claim, quotes) or _roles(claim, quotes)
    if problem:
        return Verdict(0.0, (), problem)
    needed = _meaning(claim)
    if len(needed) < 2:
        return Verdict(0.0, (), "says too little to check")
    carried = [needed & _meaning(quote.text) for quote in quotes]
    best = max(range(len(quotes)), key=lambda at: (len(carried[at]), -at))
    cites, covered = [best], set(carried[best])
    for at in sorted(range(len(quotes)), key=lambda each: -len(carried[each])):
        if len(carried[at]) >= max(2, 0.6 * len(carried[best])) and at not in cites:
            cites.append(at)
            covered |= carried[at]
    support = len(covered) / len(needed)
    if support < SUPPORTED or len(carried[best]) / len(needed) < 0.6:
        return Verdict(support, (), f"carried only to {support:.0%}")
    mood = _mood(claim, [quotes[at] for at in cites])
    if mood:
        return Verdict(support, (), mood)
    return Verdict(round(support, 3), tuple(sorted(cites)))


def _form(claim: str) -> str:
    if not claim.strip():
        return "empty"
    if len(claim) > MAX_CLAIM_CHARS:
        return "too long to be one sentence"
    if _NOT_PROSE.search(claim):
        return "carries markup, a link or a handle"
    return ""


def _names_and_numbers(claim: str, quotes: Sequence[Span]) -> str:
    said = " ".join(quote.text for quote in quotes)
    numbers = {match.replace(",", "") for match in _NUMBER.findall(said)}
    written = {words.fold(m.group()) for m in words.spaced(said)}
    for number in _NUMBER.findall(claim):
        if number.rstrip(".,:").replace(",", "") not in numbers and not _written_out(
            number, written
        ):
            return f"number {number} is in no quote"
    squeezed = words.squeezed(said)
    first = claim.lstrip("\"'“ ")
    for match in _NAME.finditer(claim):
        initial = claim.startswith(first) and match.start() == len(claim) - len(first)
        name = words.squeezed(match.group().removesuffix("'s").removesuffix("’s"))
        if name not in squeezed and not (initial and words.fold(match.group()) in _FOLDED_GLUE):
            return f"name {match.group()} is in no quote"
    return ""


def _written_out(number: str, written: set[str]) -> bool:
    return any(
        str(value) == number for word, value in NUMBER_WORDS.items() if words.fold(word) in written
    )


def _roles(claim: str, quotes: Sequence[Span]) -> str:
    """Return a problem when two names stand in an order that no quote has: who beat whom."""
    names = [words.squeezed(m.group()) for m in _NAME.finditer(claim)]
    texts = [words.squeezed(quote.text) for quote in quotes]
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            both = [t for t in texts if one != other and one in t and other in t]
            if both and not any(t.find(one) < t.rfind(other) for t in both):
                return f"{one} and {other} have changed places"
    return ""


def _mood(claim: str, cited: Sequence[Span]) -> str:
    claim_no = NEGATED.search(words.fold(claim)) is not None
    quote_no = [NEGATED.search(words.fold(quote.text)) is not None for quote in cited]
    if claim_no and not any(quote_no):
        return "denies what the quotes state"
    if not claim_no and all(quote_no):
        return "states what the quotes deny"
    unreal = [UNREAL.search(words.fold(quote.text)) is not None for quote in cited]
    if all(unreal) and UNREAL.search(words.fold(claim)) is None:
        return "states as fact what the quotes only suppose"
    return ""


def _meaning(text: str) -> set[str]:
    """Return the stems that carry meaning, words of one sense as one."""
    found = set()
    for match in words.spaced(text):
        folded = words.fold(match.group())
        if folded in _FOLDED_GLUE or len(folded) < 2:
            continue
        stem = words.stem(folded)
        found.add(_SENSE_OF.get(stem, stem))
    for run in words.unspaced_runs(text):
        found.update(_SENSE_OF.get(pair, pair) for pair in words.pairs(run.group()))
    return found
