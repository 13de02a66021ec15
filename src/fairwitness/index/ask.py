"""A question's words as terms to rank by, and how rare each is.

Made from the same tokens that posts are indexed by; no query language is parsed, so no text,
however hostile, can mean anything but words.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import log1p
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index import tokens
from fairwitness.index.query import Query
from fairwitness.kernels import postings
from fairwitness.kernels.postings import Part

_READ_CHARS = 100_000
"""So much of a question is read."""
_WEIGHED_TERMS = 1_000
"""So many distinct terms of it are weighed against each other, 1 µs each and run."""
_KEPT_TERMS = 96
"""So many are searched, the rarest."""
_PHRASES = 16
_PHRASE_TOKENS = 64
"""The first tokens find every post that holds the whole, and hardly any other."""

_ASIDE_BOOST = 0.4
"""A word in a handle, a link or a joined tag says less than one in the text."""
_SIGN_BOOST = 1.0
"""`#fight` asked with its sign: as good as the word, on top of the word itself."""

Keys = NDArray[np.uint64]


class Term(NamedTuple):
    """Something to look for: one token, or two or more that must stand together (`津波`)."""

    keys: tuple[int, ...]
    is_aside: bool = False

    @property
    def boost(self) -> float:
        """How much it counts beside a word of the text that is as rare."""
        return _SIGN_BOOST if self.is_aside else 1.0


class Ask(NamedTuple):
    """What to rank the posts of every slice by."""

    terms: postings.Ask
    mean_length: float
    """Of all posts, in tokens of their texts."""
    perfect: float
    """What an average post is worth that holds each asked word once, for scores to be a share of.

    The BM25 score of a term at average length and one occurrence is its idf, of a phrase the sum of
    its tokens': tf·(k+1)/(tf+k) = 1 at tf 1.
    """


class Statistics:
    """How common words are among the posts up to some row, in all slices."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Count in `parts`."""
        self._parts = parts
        self.rows = sum(run.rows_below(end) for run, end, _ in parts)

    @property
    def mean_length(self) -> float:
        """How many tokens a text has, on average."""
        told = sum(run.tokens_before(end) for run, end, _ in self._parts)
        return max(told / max(self.rows, 1), 1.0)

    def counts(self, keys: Sequence[int]) -> dict[int, int]:
        """Return in how many posts each key occurs."""
        counted = postings.counts(self._parts, np.array(keys, np.uint64))
        return dict(zip(keys, counted.tolist(), strict=True))

    def idf(self, count: int) -> float:
        """Return how much a word says that `count` posts hold (BM25's)."""
        return log1p(max(self.rows - count + 0.5, 0.0) / (count + 0.5))


def compile_query(query: Query, statistics: Statistics) -> Ask | None:
    """Return what to rank by, or None when no post holds any of it."""
    phrases = [
        Term(tuple(map(text_key, words)))
        for phrase in query.phrases[:_PHRASES]
        if (words := tokens.of_question(phrase[:_READ_CHARS])[:_PHRASE_TOKENS])
    ]
    wanted = _terms(query.words[:_READ_CHARS])
    asides = {
        term: Term((_beside(term.keys[0]),), is_aside=True) for term in wanted if _is_word(term)
    }
    counts = statistics.counts(
        list(dict.fromkeys(key for t in (*phrases, *wanted, *asides.values()) for key in t.keys))
    )
    found = [term for term in wanted if _count(term, counts) or _count(asides.get(term), counts)]
    found = sorted(found, key=lambda term: _count(term, counts))[:_KEPT_TERMS]
    if not phrases and not found:
        return None
    idfs = {key: statistics.idf(count) for key, count in counts.items()}
    beside = [asides[term] for term in found if term in asides]
    weights = [term.boost * _worth(term, idfs) for term in (*phrases, *found)]
    weights += [_ASIDE_BOOST * _worth(term, idfs) for term in beside]
    return Ask(
        _ready((*phrases, *found, *beside), weights, musts=len(phrases)),
        statistics.mean_length,
        max(sum(_worth(term, idfs) for term in (*phrases, *found)), 1e-6),
    )


def rarest_of(text: str, statistics: Statistics) -> int:
    """Return how often the rarest term in `text` occurs, 0 when there is no term in it."""
    terms = _terms(text[:_READ_CHARS])
    counts = statistics.counts(list({key for term in terms for key in term.keys}))
    return min((_count(term, counts) for term in terms), default=0)


def text_key(token: str) -> int:
    """Return the key of a token of a text."""
    return xxhash.xxh64_intdigest(token.encode())


def aside_key(token: str) -> int:
    """Return the key of a token beside a text."""
    return _beside(text_key(token))


def _beside(key: int) -> int:
    return key ^ int(postings.ASIDE)


def _terms(text: str) -> list[Term]:
    """Return the distinct terms in `text`.

    A run in an unspaced script becomes its pairs of neighbours: whole, it would find only posts
    that repeat the question, and single characters would find everything.
    """
    found = [Term((aside_key(sign),), is_aside=True) for sign in tokens.signs_of(text)]
    found += [Term((text_key(word),)) for word in tokens.words_of(text)]
    for run in tokens.runs_of(text):
        keys = [text_key(letter) for letter in run]
        found += [Term(pair) for pair in pairwise(keys)] or [Term((keys[0],))]
    return list(dict.fromkeys(found))[:_WEIGHED_TERMS]


def _is_word(term: Term) -> bool:
    return len(term.keys) == 1 and not term.is_aside


def _count(term: Term | None, counts: dict[int, int]) -> int:
    return min(counts[key] for key in term.keys) if term else 0


def _worth(term: Term, idfs: dict[int, float]) -> float:
    return sum(idfs[key] for key in term.keys)


def _ready(terms: Sequence[Term], weights: Sequence[float], musts: int) -> postings.Ask:
    """Return terms as the kernel takes them; the first `musts` a post has to hold."""
    keys = list(dict.fromkeys(key for term in terms for key in term.keys))
    place = {key: at for at, key in enumerate(keys)}
    return postings.Ask(
        keys=np.array(keys, np.uint64),
        starts=np.array([0, *accumulate(len(term.keys) for term in terms)], np.int64),
        members=np.array([place[key] for term in terms for key in term.keys], np.int64),
        offsets=np.array([at for term in terms for at in range(len(term.keys))], np.int64),
        weights=np.array(weights, np.float64),
        must=np.arange(len(terms)) < musts,
    )
