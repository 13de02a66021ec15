"""How well a span of a page answers.

A post is short enough that all of it is about one thing. A page of news says a hundred things, and
the sentence that answers seldom repeats the question: the page does, before it and after it. So
what counts is the span, what stands near, the whole page, what the span means, and whether it
brings a name or a figure that the question does not have. The weights were chosen by hand on every
fifth question of RealTimeQA's 2025.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked
from fairwitness.index import meaning
from fairwitness.kernels.texts import pack
from fairwitness.posts.post import Post

HEAD_CHARS = 200
"""The head of a page is context of all that stands in it."""

NEAR_CHARS = 300
"""What stands so near a span is its context in a page; a post is short enough to be all context."""

ENOUGH = 0.5
"""A span of a page with a lower score is not about the question."""

_MOST = 2.3
"""What the parts of a score can add up to."""
_WEEK_MS = 7 * 86_400_000
_LONG_WORDS = 25
_TELLING = re.compile(r"\b[A-Z][\w'’.-]*|\d[\d,.]*")
_WORD = re.compile(r"\w+")


def is_page(post: Post) -> bool:
    """Whether it is too long for all of it to be context of each of its spans."""
    return len(post.text) > HEAD_CHARS + 2 * NEAR_CHARS


def likeness(asked: Asked, spans: Sequence[Span]) -> dict[int, float]:
    """Return how near in meaning each span of a page is to the question, by its place."""
    places = [at for at, span in enumerate(spans) if is_page(span.post)]
    if not places:
        return {}
    cosine = meaning.alike(asked.text, pack([spans[at].text for at in places])).cosine
    return dict(zip(places, cosine.tolist(), strict=True))


def score(
    asked: Asked,
    span: Span,
    *,
    shares: tuple[float, float, float],
    like: float,
    rank: int,
    age_ms: int,
    missing: int,
) -> float:
    """Return 0 to 1 for a span whose page is `age_ms` older than the newest found."""
    about = parts(asked, span, shares=shares, like=like, rank=rank, missing=missing)
    about -= 0.1 * math.log1p(max(age_ms, 0) / _WEEK_MS)
    return float(np.clip(about / _MOST, 0.0, 1.0))


def parts(
    asked: Asked,
    span: Span,
    *,
    shares: tuple[float, float, float],
    like: float,
    rank: int,
    missing: int,
) -> float:
    """Return what makes a span answer, whatever its age, added up.

    `shares` of the question's weight are in the span, near it, and in its page, which was the
    `rank`-th found, from 0, and lacks `missing` of the names that the question has.
    """
    in_span, near, in_page = shares
    found = 0.6 * in_span + 0.4 * near + 0.4 * in_page + 0.5 * like
    found += 0.1 * min(_new_names(asked, span.text), 2)
    found += 0.2 * min(len(span.text.split()), _LONG_WORDS) / _LONG_WORDS
    return found - 0.1 * math.log1p(rank) - 0.3 * min(missing, 3)


def _new_names(asked: Asked, text: str) -> int:
    """Return how many names and figures a span has that the question does not."""
    known = set(_WORD.findall(asked.text.casefold()))
    said = {re.sub(r"(['’]s|\.)$", "", match.casefold()) for match in _TELLING.findall(text)}
    return len(said - known)
