"""Does a claim say only what its quotes say? Checked before anything of ours is shown.

Names, numbers, negation, who did what to whom and who says so are checked one by one, each a way in
which small models go wrong; every word of the claim that carries meaning must be found in its
quotes. Where the question has a short answer the claim is read for it, by the reader that read the
quotes, and must give the same; where it has none, two witnesses must carry the claim. What the
rules let through is read by a small model of ours too, and how surely it finds that the claim
follows is told. It drops nothing: on claims that people judged it is worse than counting words
(docs/answers.md). It reads English. A claim that fails is written once more (`claims.py`) and then
dropped.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairwitness.answers import words
from fairwitness.answers.frames import unframed
from fairwitness.answers.grammar import ATTRIBUTED, NEGATED, NUMBER_WORDS, UNREAL
from fairwitness.answers.quote import Span
from fairwitness.answers.senses import SENSE_OF
from fairwitness.models.verifier import Verifier

CARRIES = 0.6
"""Share of a claim's words that a quote must hold to be cited for it; together they hold all."""

MAX_CLAIM_CHARS = 300
_READ = ("en", "und")
"""Languages of quotes that the model reads; a post may not tell its own."""

_NUMBERED = re.compile(r"\w*\d+(?:[.,:]\d+)*\w*")
"""A number with what is written to it: 4th is not 4am."""

_NAME = re.compile(r"(?<![\w#@])[#@]?[A-ZÀ-ÞА-Я][\w'’-]*")
_NOT_PROSE = re.compile(r"https?://|www\.|[<>{}\[\]|`*]|\n|#\w|@\w")
_EMPTY = frozenset(
    # Words that add nothing to what is claimed: articles, prepositions, forms of "to be".
    "the a an of in on at to for from by with as is are was were be been that and it its there"
    " according people persons el la los las un una de del en al y o es son fue fueron era ha han"
    " hay hubo por para con que se lo personas il i gli le uno dei delle della dello nel nella nei"
    " sono stato stata stati e era per con che si ci persone os as um uma do da dos das no na nos"
    " nas em ao foi foram ha houve com pelo pela pessoas les des du au aux une et est sont a ont"
    " ete par dans sur der die das den dem ein eine ist sind war waren wurde wurden von im am mit"
    " und personen".split()
)
_PART_END = re.compile(r";\s+|；")
_PASSIVE = re.compile(r"\b(?:by|por|da|dal|dalla|par|von)\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a claim. It holds when `problem` is empty."""

    support: float
    cites: tuple[int, ...]
    """Places in the given quotes that carry the claim."""
    problem: str = ""
    entailed: float | None = None
    """How surely the model finds that it follows; None when rules alone judged."""


def verify(
    claim: str, quotes: Sequence[Span], *, voices: int = 1, verifier: Verifier | None = None
) -> Verdict:
    """Check `claim` against `quotes`; at least `voices` of them must carry each part of it.

    Who says it, before a colon, is ours and is not checked. `verifier` must be None for a claim
    that is not in English.
    """
    claim = unframed(claim)
    verdict = _in_parts(claim, quotes, voices)
    cited = [quotes[at] for at in verdict.cites]
    if verdict.problem or verifier is None or any(q.post.lang not in _READ for q in cited):
        return verdict
    evidence = " ".join(_sentence(quote.text) for quote in cited)
    return replace(verdict, entailed=round(verifier.follows(claim, evidence), 3))


def parts_of(claim: str) -> list[str]:
    """Return what a claim says one after the other, each to be carried by quotes of its own."""
    return _PART_END.split(claim)


def _in_parts(claim: str, quotes: Sequence[Span], voices: int) -> Verdict:
    verdicts = [_by_rules(part, quotes, voices) for part in parts_of(claim)]
    if failed := next((each for each in verdicts if each.problem), None):
        return failed
    cites = sorted({at for each in verdicts for at in each.cites})
    return Verdict(min(each.support for each in verdicts), tuple(cites))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _by_rules(claim: str, quotes: Sequence[Span], voices: int) -> Verdict:
    problem = _form(claim) or _names_and_numbers(claim, quotes, voices) or _roles(claim, quotes)
    if problem:
        return Verdict(0.0, (), problem)
    needed = meaning(claim)
    if len(needed) < 2:
        return Verdict(0.0, (), "says too little to check")
    carried = [needed & meaning(quote.text) for quote in quotes]
    cites = [at for at, held in enumerate(carried) if len(held) >= CARRIES * len(needed)]
    covered = set[str]().union(*(carried[at] for at in cites))
    support = round(len(covered) / len(needed), 3)
    if covered != needed:
        missing = ", ".join(sorted(needed - covered))
        return Verdict(support, (), f"no quote says: {missing}")
    if len(cites) < voices:
        return Verdict(support, (), "rests on one voice")
    mood = _mood(claim, [quotes[at] for at in cites])
    return Verdict(support, () if mood else tuple(cites), mood)


def _form(claim: str) -> str:
    if not claim.strip():
        return "empty"
    if len(claim) > MAX_CLAIM_CHARS:
        return "too long to be one sentence"
    if claim.rstrip().endswith(("?", "？")):
        return "asks"
    if _NOT_PROSE.search(claim):
        return "carries markup, a link or a handle"
    return ""


def _names_and_numbers(claim: str, quotes: Sequence[Span], voices: int) -> str:
    written = [_numbers(quote.text) for quote in quotes]
    for number in map(words.fold, _NUMBERED.findall(claim)):
        holders = sum(number in each for each in written)
        if not holders:
            return f"number {number} is in no quote"
        if holders < voices:
            return f"number {number} rests on one voice"
    said = " ".join(quote.text for quote in quotes)
    squeezed = words.squeezed(said)
    for name in _names(claim):
        if name not in squeezed:
            return f"name {name} is in no quote"
    return ""


def _numbers(text: str) -> set[str]:
    """Return the numbers in `text` with what is written to them, number words as digits."""
    written = {words.fold(match.group()) for match in _NUMBERED.finditer(text)}
    spelt = (NUMBER_WORDS.get(words.fold(match.group())) for match in words.spaced(text))
    return written | {f"{value:g}" for value in spelt if value is not None}


def _names(claim: str) -> list[str]:
    """Return the names in `claim`, squeezed; a capital that only begins the sentence is none."""
    found = (match.group().removesuffix("'s").removesuffix("’s") for match in _NAME.finditer(claim))
    return [words.squeezed(name) for name in found if words.fold(name) not in _EMPTY]


def _roles(claim: str, quotes: Sequence[Span]) -> str:
    """Return a problem when two names stand in an order that no quote has: who beat whom."""
    if _PASSIVE.search(words.fold(claim)):
        return ""  # the reader of short answers knows "won by"
    names = _names(claim)
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
    told = [ATTRIBUTED.search(words.fold(quote.text)) is not None for quote in cited]
    if all(told) and ATTRIBUTED.search(words.fold(claim)) is None:
        return "states as fact what the quotes say that somebody says"
    return ""


def meaning(text: str) -> set[str]:
    """Return the stems that carry meaning, words of one sense as one."""
    found = set()
    for match in words.spaced(text):
        folded = words.fold(match.group())
        if folded in _EMPTY or len(folded) < 2:
            continue
        stem = words.stem(folded)
        found.add(SENSE_OF.get(stem, stem))
    for run in words.unspaced_runs(text):
        found.update(SENSE_OF.get(pair, pair) for pair in words.pairs(run.group()))
    return found
