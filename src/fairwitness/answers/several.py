"""Several answers as one: what each question got, one after the other, with sources of its own."""

from collections.abc import Sequence
from itertools import accumulate

from msgspec.structs import replace

from fairwitness.answers.answer import (
    Answer,
    Citation,
    CitedSource,
    Dispute,
    Part,
    Said,
    Sentence,
    Side,
    Spread,
    Standing,
    Timing,
    text_of,
)

_WEAKEST: tuple[Standing, ...] = ("denied", "disputed", "lone", "rumoured", "agreed", "none")
"""A message is answered as surely as the least sure answer in it."""


def said_of(told: Said, question: str, sources_before: int) -> Said:
    """Return what was said to `question`, its sources numbered on from `sources_before`."""
    return Said(
        _sentence(told.sentence, question, sources_before),
        tuple(_source(source, sources_before) for source in told.sources),
    )


def joined(message: str, answers: Sequence[Answer], total_ms: float) -> Answer:
    """Return the `answers` to the questions of `message`, in order, as one."""
    numbers = [0, *accumulate(len(each.sources) for each in answers)]
    numbered = list(zip(answers, numbers, strict=False))
    sentences = [_sentence(s, a.question, by) for a, by in numbered for s in a.sentences]
    answered = [each for each in answers if not each.abstained]
    silent = [f"{each.question}\n{each.answer}" for each in answers if each.abstained]
    widest = max(answers, key=lambda each: each.freshness.posts_searched)
    first_ms = next((a.timing_ms.first_sentence for a in answered), 0.0)
    search_ms = round(sum(each.timing_ms.search for each in answers), 1)
    return replace(
        answered[0] if answered else answers[0],
        question=message,
        answer="\n\n".join([text_of(sentences), *silent] if sentences else silent),
        abstained=not answered,
        standing=min((each.standing for each in answers), key=_WEAKEST.index),
        sentences=tuple(sentences),
        sources=tuple(_source(source, by) for a, by in numbered for source in a.sources),
        disputes=tuple(_dispute(dispute, by) for a, by in numbered for dispute in a.disputes),
        dropped=tuple(dropped for each in answers for dropped in each.dropped),
        freshness=widest.freshness,
        timing_ms=Timing(search_ms, first_ms, total_ms),
        rounds=tuple(round_ for each in answers for round_ in each.rounds),
        witnesses=min((each.witnesses for each in answered), default=0),
        spread=None,
        parts=tuple(
            Part(a.question, a.standing, a.abstained, a.answer, _spread(a.spread, a.question, by))
            for a, by in numbered
        ),
    )


def _source(source: CitedSource, by: int) -> CitedSource:
    return replace(source, n=source.n + by)


def _sentence(sentence: Sentence, question: str, by: int) -> Sentence:
    citations = tuple(Citation(c.source + by, c.start, c.end) for c in sentence.citations)
    return replace(sentence, citations=citations, of=question)


def _spread(spread: Spread | None, question: str, by: int) -> Spread | None:
    return spread and replace(spread, first=_sentence(spread.first, question, by))


def _dispute(dispute: Dispute, by: int) -> Dispute:
    about = dispute.about
    sides = (
        replace(
            side,
            quotes=tuple(_sentence(quote, about, by) for quote in side.quotes),
            spread=_spread(side.spread, about, by),
        )
        for side in dispute.sides
    )
    return replace(dispute, sides=tuple[Side, ...](sides))
