"""Whether citations carry what they are cited for, by ALCE's definition.

Recall: of a sentence, whether its cited spans together carry it. Precision: of a citation, whether
it carries the sentence alone, or the others no longer carry it without this one
(https://github.com/princeton-nlp/ALCE, `eval.py`). A quote is carried when it equals its span. A
sentence in words of ours is read by a checker that shares no code with the one that let it pass:
numbers must be there, and four fifths of its longer words by their first letters; "one witness
says" before it is no part of it. What we counted ourselves is carried by quotes that are shown.
"""

import re
from collections.abc import Sequence

import msgspec

from fairwitness.answers import Answer, Citation, Sentence, unframed

_WORD = re.compile(r"\w+")
_SHORT = 4
_STEM = 5
_ENOUGH = 0.8
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Cited(msgspec.Struct, frozen=True):
    """Shares of 1; of all sentences and citations of all answers."""

    precision: float
    recall: float
    exact_spans: float
    answers: int
    sentences: int
    citations: int
    claims: int
    """Sentences in the model's words."""


def cited(answers: Sequence[Answer]) -> Cited:
    """Judge the citations of all `answers` that were given."""
    given = [each for each in answers if not each.abstained]
    sentences = [(answer, sentence) for answer in given for sentence in answer.sentences]
    recalled = [_carries(a, s, s.citations) for a, s in sentences]
    needed = [_needed(a, s, c) for a, s in sentences for c in s.citations]
    quotes = [(a, s) for a, s in sentences if s.kind == "quote"]
    exact = [_span(a, c) == s.text for a, s in quotes for c in s.citations]
    return Cited(
        precision=share(needed),
        recall=share(recalled),
        exact_spans=share(exact),
        answers=len(given),
        sentences=len(sentences),
        citations=len(needed),
        claims=sum(s.kind == "claim" for _, s in sentences),
    )


def share(of: Sequence[bool]) -> float:
    """Return which share is true; 0 of nothing."""
    return round(sum(of) / len(of), 4) if of else 0.0


def _needed(answer: Answer, sentence: Sentence, citation: Citation) -> bool:
    if _carries(answer, sentence, [citation]):
        return True
    others = [each for each in sentence.citations if each != citation]
    return _carries(answer, sentence, sentence.citations) and not _carries(answer, sentence, others)


def _carries(answer: Answer, sentence: Sentence, citations: Sequence[Citation]) -> bool:
    if not citations:
        return False
    spans = [_span(answer, citation) for citation in citations]
    if sentence.kind == "quote":
        return sentence.text in spans
    if sentence.kind == "count":
        shown = {each.text for each in answer.sentences if each.kind == "quote"}
        return all(span in shown for span in spans)
    return _holds(" ".join(spans), unframed(sentence.text))


def _span(answer: Answer, citation: Citation) -> str:
    source = next((each for each in answer.sources if each.n == citation.source), None)
    return source.text[citation.start : citation.end] if source else ""


def _holds(evidence: str, claim: str) -> bool:
    if _UNSPACED.search(claim):
        pairs = [claim[at : at + 2] for at in range(len(claim) - 1)]
        there = [pair in evidence for pair in pairs if pair.isalnum()]
    else:
        held = {word[:_STEM] for word in _WORD.findall(evidence.casefold())}
        said = _WORD.findall(claim.casefold())
        if any(word.isdigit() and word not in evidence for word in said):
            return False
        there = [word[:_STEM] in held for word in said if len(word) > _SHORT]
    return sum(there) >= _ENOUGH * len(there)
