"""A question's words as a tantivy query.

Built clause by clause from the same tokens that posts are indexed by; no query language is parsed,
so no text, however hostile, can mean anything but words.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log1p
from typing import NamedTuple

import tantivy
from tantivy import Occur, Searcher

from fairwitness.index import tokens
from fairwitness.index.query import Clause, Query
from fairwitness.index.said import matching
from fairwitness.index.words import SCHEMA

_READ_CHARS = 100_000
"""So much of a question is read."""
_WEIGHED_TERMS = 1_000
"""So many distinct terms of it are weighed against each other, 3 µs each and slice."""
_KEPT_TERMS = 96
"""So many are searched, the rarest."""
_PHRASES = 16
_PHRASE_TOKENS = 64

_ASIDE_BOOST = 0.4
"""A word in a handle, a link or a joined tag says less than one in the text."""
_SIGN_BOOST = 1.0
"""`#fight` asked with its sign: as good as the word, on top of the word itself."""


_EVERYTHING = tantivy.Query.all_query()


class Term(NamedTuple):
    """Something to look for: one token, or two that must stand together (`津波`)."""

    field: str
    tokens: tuple[str, ...]


class Ask(NamedTuple):
    """What to search in every slice."""

    musts: tuple[Term, ...]
    shoulds: tuple[Term, ...]
    asides: tuple[Term, ...]
    """The words of `shoulds`, for where they stand beside the text."""
    clauses: tuple[Clause, ...] = ()
    """Clauses of nothing but words."""
    only_ranks: bool = False
    """Whether a post may hold none of the terms: the clauses say which words it holds."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that a perfect post would hold."""
        return (*self.musts, *self.shoulds)

    def within(self, rows: tantivy.Query | None, searcher: Searcher) -> tantivy.Query:
        """Return the query for a slice, held to the posts that satisfy `rows`."""
        wanted = [(Occur.Must, _ranking(_clause(term), term, searcher)) for term in self.musts]
        ranked = (*self.shoulds, *self.asides)
        wanted += [(Occur.Should, _ranking(_scored(term), term, searcher)) for term in ranked]
        terms = tantivy.Query.boolean_query(wanted)
        parts = matching(self.clauses)
        if rows is not None:
            parts.append((Occur.Must, tantivy.Query.const_score_query(rows, 0.0)))
        if not parts:
            return terms
        if not self.only_ranks:
            parts.append((Occur.Must, terms))
            return tantivy.Query.boolean_query(parts)
        if all(occur == Occur.MustNot for occur, _ in parts):
            parts.append((Occur.Must, tantivy.Query.const_score_query(_EVERYTHING, 0.0)))
        parts.append((Occur.Should, terms))
        return tantivy.Query.boolean_query(parts)

    def perfect(self, searcher: Searcher) -> float:
        """Return the BM25 score in this slice of an average post that holds each term once.

        The score of a term at average length and one occurrence is its idf, Σ over a phrase's:
        tf·(k+1)/(tf+k) = 1 at tf 1. Slices differ in idf; divided by this, scores compare.
        """
        count = searcher.num_docs
        idfs = (
            log1p(max(count - found + 0.5, 0.0) / (found + 0.5))
            for field, words in self.terms
            for found in (searcher.doc_freq(field, word) for word in words)
        )
        return max(sum(idfs), 1e-6)


def compile_query(
    query: Query,
    frequency: Callable[[str, str], int],
    clauses: tuple[Clause, ...] = (),
    *,
    only_ranks: bool = False,
) -> Ask | None:
    """Return what to search for, or None when no post can match.

    `frequency` says in how many posts of all slices a field holds a token. `clauses` are those of
    nothing but words; `only_ranks` when one of them asks for words itself.
    """
    phrases = [_phrase(phrase) for phrase in query.phrases[:_PHRASES]]
    musts = [Term("text", words) for words in phrases if words]
    shoulds = _rarest(_terms(query.words[:_READ_CHARS]), frequency)
    if not musts and not shoulds and not only_ranks:
        return None
    asides = (
        Term("aside", term.tokens)
        for term in shoulds
        if term.field == "text" and len(term.tokens) == 1
    )
    return Ask(tuple(musts), tuple(shoulds), tuple(asides), clauses, only_ranks and not musts)


def doc_frequency(searchers: Sequence[Searcher], field: str, token: str) -> int:
    """Return in how many posts of some slices `field` holds `token`, 3 µs a slice."""
    return sum(searcher.doc_freq(field, token) for searcher in searchers)


def rarest_of(text: str, frequency: Callable[[str, str], int]) -> int:
    """Return how often the rarest term in `text` occurs, 0 when there is no term in it."""
    terms = _terms(text[:_READ_CHARS])
    return min((_count(term, frequency) for term in terms), default=0)


def _phrase(text: str) -> tuple[str, ...]:
    # The first tokens find every post that holds the whole, and hardly any other.
    return tuple(tokens.of_question(text[:_READ_CHARS])[:_PHRASE_TOKENS])


def _terms(text: str) -> list[Term]:
    """Return the distinct terms in `text`.

    A run in an unspaced script becomes its pairs of neighbours: whole, it would find only posts
    that repeat the question, and single characters would find everything.
    """
    found = [Term("aside", (sign,)) for sign in tokens.signs_of(text)]
    found += [Term("text", (word,)) for word in tokens.words_of(text)]
    for run in tokens.runs_of(text):
        pairs = pairwise(run)
        found += [Term("text", pair) for pair in pairs] or [Term("text", (run,))]
    return list(dict.fromkeys(found))[:_WEIGHED_TERMS]


def _rarest(terms: Sequence[Term], frequency: Callable[[str, str], int]) -> list[Term]:
    """Return the terms that occur at all, the rarest `_KEPT_TERMS` of them."""
    counted = [(_count(term, frequency), term) for term in terms]
    kept = sorted(
        ((count, term) for count, term in counted if count or _aside(term, frequency)),
        key=lambda pair: pair[0],
    )
    return [term for _, term in kept[:_KEPT_TERMS]]


def _count(term: Term, frequency: Callable[[str, str], int]) -> int:
    return min(frequency(term.field, token) for token in term.tokens)


def _aside(term: Term, frequency: Callable[[str, str], int]) -> int:
    return frequency("aside", term.tokens[0]) if len(term.tokens) == 1 else 0


def _ranking(clause: tantivy.Query, term: Term, searcher: Searcher) -> tantivy.Query:
    """Return `clause`, without a score of its own where tantivy could not give a true one.

    A token's count keeps deleted posts until their segment is merged, the count of posts does not.
    When the first is larger, tantivy's unsigned idf wraps round and drowns everything else.
    """
    if all(searcher.doc_freq(term.field, word) <= searcher.num_docs for word in term.tokens):
        return clause
    return tantivy.Query.const_score_query(clause, 0.0)


def _scored(term: Term) -> tantivy.Query:
    boost = {"aside": _ASIDE_BOOST, "text": 1.0}[term.field]
    if term.tokens[0][0] in "#@$":
        boost = _SIGN_BOOST
    clause = _clause(term)
    return clause if boost == 1.0 else tantivy.Query.boost_query(clause, boost)


def _clause(term: Term) -> tantivy.Query:
    if len(term.tokens) == 1:
        return tantivy.Query.term_query(SCHEMA, term.field, term.tokens[0])
    # Fewer than two words would make tantivy panic.
    return tantivy.Query.phrase_query(SCHEMA, term.field, list(term.tokens))
