"""How well a span answers: coverage of the question, the kind of thing it asks for, and its mood.

Pure arithmetic on words, with each part kept, so that a person can be told why a span was chosen or
left out. Nothing here knows a network or an index.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fairwitness.answers import pages, words
from fairwitness.answers.grammar import NEGATED, NOT_YET, UNREAL
from fairwitness.answers.quote import Span
from fairwitness.answers.senses import SENSES
from fairwitness.answers.understand import Asked, Term
from fairwitness.posts.post import Post

ENOUGH = 0.55
"""Share of the question's weight that a post must hold to be about it."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A span with what speaks for it. Shares are 0 to 1."""

    span: Span
    coverage: float
    """Share of the question's weight in the span itself."""
    context: float
    """Share in the post, tags included; of a page, in its head and what stands near."""
    real: bool
    """Whether it reads as a report, not a wish, guess, condition or question."""
    negated: bool
    anchor: int
    """Character offset in the span of the word that carries the question; -1 without one."""
    score: float


def weigh(asked: Asked, spans: Sequence[Span], weights: Mapping[Term, float]) -> list[Weighed]:
    """Return the spans that are about the question, best first."""
    whole: dict[str, Context] = {}
    like = pages.likeness(asked, spans)
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(s.post.id for s in spans))}
    newest_ms = max((span.post.created_ms for span in spans), default=0)
    about: list[Weighed] = []
    for at, span in enumerate(spans):
        around = context_of(span, whole)
        each = _weigh(asked, span, around, weights)
        if each is not None and at in like:
            rank = ranks[span.post.id]
            each = _of_page(asked, each, around, weights, like[at], rank, newest_ms)
        if each is not None:
            about.append(each)
    return sorted(about, key=lambda each: (-each.score, each.span.post.seen_ms, each.span.post.id))


def rarity(posts: int, holding: int) -> float:
    """Return the inverse document frequency of a term that `holding` of `posts` hold."""
    return math.log(1 + (posts + 1) / (holding + 1))


class Context:
    """What is said around a span, as matching sees it."""

    def __init__(
        self, post: Post, text: str, page: "Context | None" = None, *, tags: bool = True
    ) -> None:
        self._post, self._text, self._tags = post, text, tags
        self.page = page
        """The whole page, of which this is a part."""

    @cached_property
    def squeezed(self) -> str:
        """Its letters and digits."""
        return words.squeezed(self._text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its words."""
        hashtags = self._post.hashtags if self._tags else ()
        tags = (word for tag in hashtags for word in _CAMEL.findall(tag))
        return words.stems(self._text) | words.stems(" ".join(tags))

    def has(self, term: Term) -> bool:
        """Whether it holds a word of `term`."""
        return bool(term.stems & self.stems) or (term.name and _named(term, self.squeezed))


def context_of(span: Span, whole: dict[str, Context]) -> Context:
    """Return the context of `span`; `whole` keeps those of posts and pages, which are read once."""
    text = span.post.text
    post = whole.get(span.post.id) or whole.setdefault(span.post.id, Context(span.post, text))
    if not pages.is_page(span.post):
        return post
    start = max(pages.HEAD_CHARS, span.start - pages.NEAR_CHARS)
    around = f"{text[: pages.HEAD_CHARS]}\n{text[start : span.end + pages.NEAR_CHARS]}"
    return Context(span.post, around, post)


def _of_page(
    asked: Asked,
    each: Weighed,
    around: Context,
    weights: Mapping[Term, float],
    like: float,
    rank: int,
    newest_ms: int,
) -> Weighed | None:
    """Weigh a span of a page once more, by all of the page."""
    assert around.page is not None
    page = around.page
    in_page = sum(weight for term, weight in weights.items() if page.has(term))
    shares = (each.coverage, each.context, in_page / (sum(weights.values()) or 1.0))
    score = pages.score(
        asked,
        each.span,
        shares=shares,
        like=like,
        rank=rank,
        age_ms=newest_ms - each.span.post.created_ms,
        missing=sum(term.name and not page.has(term) for term in weights),
    )
    return replace(each, score=score) if score >= pages.ENOUGH else None


def _weigh(
    asked: Asked, span: Span, around: Context, weights: Mapping[Term, float]
) -> Weighed | None:
    text = span.text
    total = sum(weights.values()) or 1.0
    in_span = words.stems(text)
    squeezed = words.squeezed(text)
    if weights and not any(t.stems & in_span or (t.name and _named(t, squeezed)) for t in weights):
        return None
    coverage = context = 0.0
    for term, weight in weights.items():
        named = term.name and _named(term, around.squeezed)
        if term.stems & in_span or (named and _named(term, squeezed)):
            # Another word of the same sense says it a little less surely than the question's own.
            coverage += weight * (0.93 if term.own and term.own not in in_span else 1.0)
            context += weight
        elif term.stems & around.stems or named:
            context += weight
        elif term.name and not around.page:
            return None
    coverage, context = coverage / total, context / total
    enough = 0.0 if around.page else ENOUGH
    if asked.terms and (context < enough or coverage == 0.0):
        return None
    folded = words.fold(text)
    real = UNREAL.search(folded) is None
    anchor = _anchor(asked, text)
    if asked.outcome and (not real or anchor < 0 or _partial(asked, folded)):
        return None
    score = 0.6 * coverage + 0.4 * context
    score *= 1.0 if real else 0.6
    score *= 1.0 if span.post.lang == asked.lang else 0.85
    score *= _plainness(text)
    if asked.asks == "happening":
        score *= _eventful(in_span)
    return Weighed(
        span,
        coverage,
        context,
        real,
        NEGATED.search(folded) is not None,
        anchor,
        score,
    )


def _named(term: Term, squeezed: str) -> bool:
    """Whether a name hides in a hashtag or handle: `Costa` in #CostaRica."""
    return any(
        len(each) >= 4 and words.squeezed(each) in squeezed
        for each in term.search[:1] + tuple(term.stems)
    )


def _eventful(stems: frozenset[str]) -> float:
    """Return more for a span that names what happened, less for one that says how it feels."""
    return (1.25 if stems & _EVENT_STEMS else 1.0) * (0.7 if stems & _FEELING_STEMS else 1.0)


_EVENT_STEMS = frozenset(
    stem
    for sense in SENSES
    if sense.name not in ("help", "cause", "win", "lose", "fight", "train", "nightclub")
    for word in sense.words
    for stem in words.stems(word)
)
_FEELING_STEMS = words.stems(
    "my heart prayers pray praying sad love thoughts condolences rip mi corazón abrazo ánimo fuerza"
    " triste pena cuore abbraccio solidarietà preghiere meu coração força deus luto famílias"
    " familias famiglie families pensées cœur gebete herz"
)


def _headline(text: str) -> bool:
    said = [match.group() for match in words.spaced(text) if match.group()[0].isalpha()]
    return sum(word[0].isupper() for word in said) > 0.6 * len(said)


_COARSE = re.compile(
    r"\b(?:fuck\w*|shit\w*|bitch\w*|pussy|p\*ssy|ass|asshole|wtf|stfu|nigg\w+|dick|puta|mierda|cazzo"
    r"|caralho|porra|putain|merde|scheiße)\b",
    re.IGNORECASE,
)

_CAMEL = re.compile(r"[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-Z]+(?![a-z])|\d+")


def _partial(asked: Asked, folded: str) -> bool:
    """Whether the span is about a part of the matter that the question does not ask for."""
    question = words.fold(asked.text).split()
    said = set(re.findall(r"\w+", folded))
    parts = (part for term in asked.terms if term.sense for part in term.sense.partial)
    return any(part in said and part not in question for part in parts)


def _plainness(text: str) -> float:
    """Return 1 for a plain sentence, less for shouting, swearing, tag heaps and one-word cries."""
    said = words.spaced(text)
    unspaced = any(words.unspaced_runs(text))
    if not said:
        return 1.0 if unspaced else 0.5
    tags = min(1.0, (text.count("#") + text.count("@")) / len(said))
    letters = sum(char.isalpha() for char in text) or 1
    plain = 1 - 0.5 * tags
    if sum(char.isupper() for char in text) / letters > 0.6:
        plain *= 0.85
    if len(said) < 4 and not unspaced:
        plain *= 0.8
    return plain * 0.7 if _COARSE.search(text) else plain


def _anchor(asked: Asked, text: str) -> int:
    """Return where the word stands that carries the question: a sense word, else any term.

    A word that only names an outcome ("for the win", "to beat") does not carry it.
    """
    for term in sorted(asked.terms, key=lambda each: (each.sense is None, each.name)):
        if term.name:
            continue
        for match in words.spaced(text):
            if words.stem(match.group()) in term.stems and _reports(term, text, match):
                return match.start()
        for stem in term.stems:
            if words.is_unspaced(stem) and stem in text:
                return text.index(stem)
        if term.sense is not None and term.sense.outcome:
            return -1
    return -1


def _reports(term: Term, text: str, match: re.Match[str]) -> bool:
    if term.sense is None or not term.sense.outcome:
        return True
    word = match.group()
    if words.fold(word) in term.sense.bare:
        return False
    # A capital inside a plain sentence is a name: Vince is nobody's verb.
    if match.start() > 0 and word[0].isupper() and not word.isupper() and not _headline(text):
        return False
    return NOT_YET.search(words.fold(text[: match.start()])) is None
