"""The search box of X: a line of text in, a query out, or a problem with its place.

Words stand beside each other and all must hold; `OR` binds its two neighbours closer than that, as
in the grammar that X published for its search box (grammar/query.peg in
https://github.com/tweetdeck/twitter-search-query-parser). X's API is the other way round
(https://docs.x.com/x-api/posts/search/integrate/build-a-query), so brackets help readers. `-`
excludes a word, a phrase, an operator or what stands in brackets; a query may only exclude.

Where X is lenient we point: a quote that never closes would otherwise search for something else.
"""

from itertools import chain, product
from math import prod
from typing import NamedTuple

from fairwitness.index import operators
from fairwitness.index.errors import SyntaxProblem
from fairwitness.index.lexemes import MAX_CONDITIONS, Lexeme, lexemes
from fairwitness.index.query import Clause, Condition, Kind, Query, clauses_of
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import FOREVER_MS

MAX_CHARS = 100_000
_MAX_DEPTH = 50


class _Group(NamedTuple):
    """Parts of which one (`either`) or all must hold."""

    parts: tuple["_Node", ...]
    either: bool
    at: int


class _Not(NamedTuple):
    part: "_Node"


_Node = Condition | _Group | _Not


def parse(text: str, now_ms: int) -> Query:
    """Return what `text` asks for; blank text asks for all posts.

    `words` of the query are all words and phrases that are asked for, also those of an OR, for
    ranking. `now_ms` is what `within_time:` counts from. Raises SyntaxProblem.
    """
    if len(text) > MAX_CHARS:
        raise SyntaxProblem(f"longer than {MAX_CHARS:,} characters", text, MAX_CHARS)
    parser = _Parser(text, now_ms)
    return parser.query(parser.clauses(parser.tree()))


def render(query: Query) -> str:
    """Return a text that `parse` reads as this query, which it made."""
    return " ".join(
        _written(clause[0]) if len(clause) == 1 else f"({' OR '.join(map(_written, clause))})"
        for clause in clauses_of(query)
    )


def _written(condition: Condition) -> str:
    minus = "-" if condition.negated else ""
    match condition.kind:
        case "word":
            return f"{minus}{condition.value}"
        case "phrase":
            return f'{minus}"{condition.value}"'
        case _:
            return operators.write(condition)


class _Parser:
    """One text under way, by recursive descent; it keeps the place of each condition."""

    def __init__(self, text: str, now_ms: int) -> None:
        self._text = text
        self._now_ms = now_ms
        self._lexemes = lexemes(text)
        self._next = 0
        self._places: dict[tuple[Kind, str | int], int] = {}

    def tree(self) -> _Group:
        """Return what the text says, as it says it."""
        tree = self._all(0)
        if (lexeme := self._peek()).kind == ")":
            raise self._problem("this bracket closes nothing", lexeme.at)
        if not tree.parts and self._text.strip():
            raise self._problem("there is no word to search for", 0)
        return tree

    def clauses(self, node: _Node, *, negated: bool = False) -> list[Clause]:
        """Return a tree in conjunctive normal form, negations pushed down to conditions."""
        if isinstance(node, Condition):
            return [(Condition(node.kind, node.value, node.negated != negated),)]
        if isinstance(node, _Not):
            return self.clauses(node.part, negated=not negated)
        parts = [self.clauses(part, negated=negated) for part in node.parts]
        if node.either == negated:
            return [clause for part in parts for clause in part]
        # (a b) OR (c d) is (a OR c) (a OR d) (b OR c) (b OR d).
        width = sum(max(map(len, part)) for part in parts)
        if prod(map(len, parts)) * width > MAX_CONDITIONS:
            message = f"these groups come to more than {MAX_CONDITIONS:,} conditions together"
            raise self._problem(f"{message}; search for one after the other", node.at)
        return [tuple(dict.fromkeys(chain(*choice))) for choice in product(*parts)]

    def query(self, clauses: list[Clause]) -> Query:
        """Return clauses as a query, with its window apart; raise where that is empty."""
        if sum(map(len, clauses)) > MAX_CONDITIONS:
            raise self._problem(f"more than {MAX_CONDITIONS:,} conditions together", 0)
        rest, since, until = [], [-FOREVER_MS], [FOREVER_MS]
        for clause in dict.fromkeys(clauses):
            first = clause[0]
            if len(clause) > 1 or first.kind != "since":
                rest.append(clause)
            else:
                (until if first.negated else since).append(int(first.value))
        since_ms, until_ms = max(since), min(until)
        if until_ms <= since_ms:
            message = f"no post is made since {to_iso(since_ms)} and before {to_iso(until_ms)}"
            raise self._problem(message, self._places["since", until_ms])
        words = " ".join(dict.fromkeys(_words_in(rest)))
        return Query(
            words=words, meaning=words, clauses=tuple(rest), since_ms=since_ms, until_ms=until_ms
        )

    def _all(self, depth: int) -> _Group:
        parts = []
        while self._peek().kind not in (")", "end"):
            parts.append(self._either(depth))
        return _Group(tuple(parts), False, 0)

    def _either(self, depth: int) -> _Node:
        if (lexeme := self._peek()).kind == "OR":
            raise self._problem("nothing stands on the left of this OR", lexeme.at)
        parts, at = [self._one(depth)], lexeme.at
        while (lexeme := self._peek()).kind == "OR":
            at = lexeme.at
            self._take()
            if self._peek().kind in ("OR", ")", "end"):
                raise self._problem("nothing stands on the right of this OR", at)
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else _Group(tuple(parts), True, at)

    def _one(self, depth: int) -> _Node:
        lexeme = self._take()
        match lexeme.kind:
            case "-":
                if self._peek().kind == "OR":
                    raise self._problem("nothing stands behind this -", lexeme.at)
                return _Not(self._one(depth))
            case "(":
                return self._bracket(lexeme, depth + 1)
            case "operator":
                return self._operator(lexeme)
            case kind:
                spoken = Condition("phrase" if kind == "phrase" else "word", lexeme.text)
                return self._placed(spoken, lexeme.at)

    def _bracket(self, opened: Lexeme, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise self._problem(f"brackets are {_MAX_DEPTH} deep here", opened.at)
        group = self._all(depth)
        if self._take().kind != ")":
            raise self._problem("this bracket is never closed", opened.at)
        if not group.parts:
            raise self._problem("there is no word between these brackets", opened.at)
        return group

    def _operator(self, lexeme: Lexeme) -> _Node:
        excluded = lexeme.text == "exclude"
        try:
            name = "filter" if excluded else lexeme.text
            read = operators.read(name, lexeme.value, self._now_ms)
        except operators.BadValue as error:
            raise self._problem(str(error), lexeme.value_at) from error
        parts = tuple(self._placed(condition, lexeme.value_at) for condition in read)
        node = parts[0] if len(parts) == 1 else _Group(parts, True, lexeme.at)
        return _Not(node) if excluded else node

    def _placed(self, condition: Condition, at: int) -> Condition:
        self._places[condition.kind, condition.value] = at
        return condition

    def _peek(self) -> Lexeme:
        return self._lexemes[self._next]

    def _take(self) -> Lexeme:
        lexeme = self._peek()
        self._next += lexeme.kind != "end"
        return lexeme

    def _problem(self, message: str, at: int) -> SyntaxProblem:
        return SyntaxProblem(message, self._text, at)


def _words_in(clauses: list[Clause]) -> list[str]:
    """Return the words and phrases that a post may satisfy clauses by."""
    return [
        str(condition.value)
        for clause in clauses
        for condition in clause
        if condition.kind in ("word", "phrase") and not condition.negated
    ]
