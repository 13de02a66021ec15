"""Conditions on what is said in a post, as queries to tantivy that only match and do not rank."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tantivy
from tantivy import Occur, Searcher

from fairwitness.index import pointing, tokens
from fairwitness.index.query import Clause, Condition
from fairwitness.index.words import SCHEMA

_READ_CHARS = 10_000
"""So much of one condition is read."""
_PHRASE_TOKENS = 64
"""The first tokens find every post that holds the whole, and hardly any other."""
_ANY_WORD = re.compile(r"(?<!\S)\*(?!\S)")
_SCHEME = re.compile(r"^https?://(www\.)?", re.IGNORECASE)


class Placed(NamedTuple):
    """A token of a phrase, and how many tokens after the first it stands."""

    offset: int
    token: str


class Said(NamedTuple):
    """What a condition asks for: one of some phrases in the text, or words beside it."""

    phrase: tuple[Placed, ...]
    aside: tuple[str, ...]

    @property
    def query(self) -> tantivy.Query:
        """The query; the condition's negation is not in it."""
        ways = []
        if self.phrase:
            ways.append((Occur.Should, _phrase_query(self.phrase)))
        if self.aside:
            beside = [(Occur.Must, _term("aside", token)) for token in self.aside]
            ways.append((Occur.Should, tantivy.Query.boolean_query(beside)))
        return tantivy.Query.boolean_query(ways)

    def at_most(self, searcher: Searcher) -> int:
        """Return how many posts can match, at most."""
        in_text = (searcher.doc_freq("text", token) for _, token in self.phrase)
        beside = (searcher.doc_freq("aside", token) for token in self.aside)
        return min(in_text, default=0) + min(beside, default=0)


def said(condition: Condition) -> Said | None:
    """Return what to look for, or None when there is no word in it, so no post says it."""
    text = str(condition.value)[:_READ_CHARS]
    match condition.kind:
        case "to":
            found = Said((), tuple(tokens.signs_of(pointing.to(text))))
        case "site":
            found = Said((), tuple(tokens.signs_of(pointing.site(text))))
        case "phrase":
            found = Said(_placed(text), ())
        case _ if text.startswith(tuple("#@$")):
            found = Said((), tuple(tokens.signs_of(text)))
        case _:
            phrase = _placed(_SCHEME.sub("", text))
            found = Said(phrase, tuple(dict.fromkeys(token for _, token in phrase)))
    return found if found.phrase or found.aside else None


def matching(clauses: Iterable[Clause]) -> list[tuple[Occur, tantivy.Query]]:
    """Return clauses of nothing but words as parts of a boolean query that change no score."""
    parts = []
    for clause in clauses:
        only = clause[0]
        if len(clause) == 1 and only.negated:
            parts.append((Occur.MustNot, _query(said(only))))
        else:
            either = tantivy.Query.boolean_query([_way(condition) for condition in clause])
            parts.append((Occur.Must, tantivy.Query.const_score_query(either, 0.0)))
    return parts


def _way(condition: Condition) -> tuple[Occur, tantivy.Query]:
    query = _query(said(condition))
    if condition.negated:
        everything = (Occur.Must, tantivy.Query.all_query())
        query = tantivy.Query.boolean_query([everything, (Occur.MustNot, query)])
    return Occur.Should, query


def _query(found: Said | None) -> tantivy.Query:
    return tantivy.Query.empty_query() if found is None else found.query


def _placed(text: str) -> tuple[Placed, ...]:
    """Return the tokens of a phrase; a lone `*` takes the place of one."""
    placed: list[Placed] = []
    offset = 0
    for number, piece in enumerate(_ANY_WORD.split(text)):
        offset += number > 0
        for token in tokens.of_question(piece):
            placed.append(Placed(offset, token))
            offset += 1
    first = placed[0].offset if placed else 0
    return tuple(Placed(at - first, token) for at, token in placed[:_PHRASE_TOKENS])


def _phrase_query(phrase: Sequence[Placed]) -> tantivy.Query:
    if len(phrase) == 1:
        return _term("text", phrase[0].token)
    # Fewer than two words would make tantivy panic.
    return tantivy.Query.phrase_query(SCHEMA, "text", [(at, token) for at, token in phrase])


def _term(field: str, token: str) -> tantivy.Query:
    return tantivy.Query.term_query(SCHEMA, field, token, index_option="basic")
