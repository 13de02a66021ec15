"""Which of the answers that a question offers its pages bear out, or none.

A page holds many sentences that name one of them by chance. So all sentences that name one are
compared: each has odds against silence, those of one answer add up, and where the best answer has
no fair share of all odds, pages say nothing. Posts are weighed as ever: one that names an answer
is all about it.

The five weights and the share were learned from one half of 277 questions of RealTimeQA's 2025 (two
of every six; those whose name has an even CRC-32), before and after their pages came.
"""

import math
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairwitness.answers import pages, weigh, words
from fairwitness.answers.among import Alternatives
from fairwitness.answers.grammar import NEGATED, UNREAL
from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked, Term
from fairwitness.answers.weigh import Context, Weighed

FAIR = 0.3
"""Share of all odds, those of silence too, that an answer must have."""

_BIAS, _ABOUT, _WHOLE, _APART, _FRESH = -9.1, 3.8, 2.9, -0.4, 2.3
_FAR_WORDS = 30
_FRESH_MS = 10 * 86_400_000


def learned_from(name: str) -> bool:
    """Whether the question of RealTimeQA with this name is of the half that was learned from."""
    return zlib.crc32(name.encode()) % 2 == 0


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A sentence of a page that names one answer."""

    weighed: Weighed
    answer: str
    odds: float
    """Against silence; logarithm."""


def weigh_offered(
    asked: Asked, spans: Sequence[Span], weights: Mapping[Term, float], as_of_ms: int
) -> list[Weighed]:
    """Return the spans that are about the question, best first; of pages those that name an
    answer, and only where one is borne out."""
    of_posts = [span for span in spans if not pages.is_page(span.post)]
    of_pages = [span for span in spans if pages.is_page(span.post)]
    told = weigh.weigh(asked, of_posts, weights)
    told += _borne_out(_evidence(asked, of_pages, weights, as_of_ms))
    return sorted(told, key=lambda each: (-each.score, each.span.post.seen_ms, each.span.post.id))


def _borne_out(evidence: Sequence[_Evidence]) -> list[Weighed]:
    """Return what speaks for each answer, scored by the share of odds of that answer."""
    best = max((each.odds for each in evidence), default=0.0)
    odds = [math.exp(each.odds - best) for each in evidence]
    total = sum(odds) + math.exp(-best)
    share: dict[str, float] = defaultdict(float)
    for each, part in zip(evidence, odds, strict=True):
        share[each.answer] += part / total
    if max(share.values(), default=0.0) < FAIR:
        return []
    leading: dict[str, float] = {}
    for each, part in zip(evidence, odds, strict=True):
        leading[each.answer] = max(leading.get(each.answer, 0.0), part)
    return [
        _scored(each, share[each.answer] * part / leading[each.answer])
        for each, part in zip(evidence, odds, strict=True)
    ]


def _scored(each: _Evidence, score: float) -> Weighed:
    was = each.weighed
    return Weighed(was.span, was.coverage, was.context, was.real, was.negated, was.anchor, score)


def _evidence(
    asked: Asked, spans: Sequence[Span], weights: Mapping[Term, float], as_of_ms: int
) -> list[_Evidence]:
    alternatives = Alternatives(asked.among, asked.stems)
    like = pages.likeness(asked, spans)
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(s.post.id for s in spans))}
    whole: dict[str, Context] = {}
    found = []
    for at, span in enumerate(spans):
        named = alternatives.found_in(span.text)
        if named is None:
            continue
        about = _shares(span, weigh.context_of(span, whole), weights)
        parts = pages.parts(
            asked,
            span,
            shares=about[:3],
            like=like[at],
            rank=ranks[span.post.id],
            missing=round(about[3]),
        )
        odds = _BIAS + _ABOUT * parts + _WHOLE * named.whole
        odds += _APART * math.log1p(_words_apart(span.text, named.stems, weights))
        odds += _FRESH * (as_of_ms - span.post.created_ms < _FRESH_MS)
        folded = words.fold(span.text)
        real, negated = UNREAL.search(folded) is None, NEGATED.search(folded) is not None
        weighed = Weighed(span, about[0], about[1], real, negated, -1, 0.0)
        found.append(_Evidence(weighed, named.answer, odds))
    return found


def _shares(
    span: Span, around: Context, weights: Mapping[Term, float]
) -> tuple[float, float, float, float]:
    """Return the shares of the question's weight in a span, near it and in its page, and how many
    names of the question the page lacks."""
    assert around.page is not None
    inside = Context(span.post, span.text, tags=False)
    total = sum(weights.values()) or 1.0
    in_span = sum(weight for term, weight in weights.items() if inside.has(term))
    near = sum(weight for term, weight in weights.items() if around.has(term) or inside.has(term))
    lacking = [term for term in weights if not around.page.has(term)]
    in_page = total - sum(weights[term] for term in lacking)
    missing = sum(term.name for term in lacking)
    return in_span / total, near / total, in_page / total, missing


def _words_apart(text: str, stems: frozenset[str], weights: Mapping[Term, float]) -> int:
    """Return how many words from an answer the nearest other word of the question stands."""
    said = [words.stem(match.group()) for match in words.spaced(text)]
    known = frozenset(stem for term in weights for stem in term.stems)
    named = [at for at, stem in enumerate(said) if stem in stems]
    about = [at for at, stem in enumerate(said) if stem in known]
    return min((abs(a - b) for a in named for b in about if a != b), default=_FAR_WORDS)
