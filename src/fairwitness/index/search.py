"""A query in, hits out: the reading side of the index.

A search works on a view that was taken in one piece: searchers, and how many rows they know. What
the writer does meanwhile shows only in columns, where each store is whole: a row is either gone or
not, and an edited post is seen in its old version until the view has the new one.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from tantivy import Searcher

from fairwitness.index import rank, words
from fairwitness.index.ask import Ask, compile_query, doc_frequency
from fairwitness.index.changes import author_hash
from fairwitness.index.query import Hit, Parts, Query, Results
from fairwitness.index.rank import Candidates, Weights
from fairwitness.index.rows import handle_hash
from fairwitness.index.slice import Slice
from fairwitness.index.table import Table
from fairwitness.posts.post import FOREVER_MS, Post

WEIGHTS = Weights()
_DEPTH = 300
"""How many of a slice's best posts by words are ranked by everything: recency and reach can lift a
post from that deep, not from deeper."""
_NAMED_ROWS = 2_000
"""If filters allow at most so many rows, tantivy is told which (about 1 µs each)."""

Rows = NDArray[np.int64]


class SliceView(NamedTuple):
    """One slice at the moment of the view."""

    part: Slice
    searcher: Searcher
    rows: int


class View(NamedTuple):
    """What a search looks at; `rows` ordinals are searchable."""

    slices: tuple[SliceView, ...]
    rows: int


class Found(NamedTuple):
    """Rows of one slice that matched, with what words were worth."""

    at: int
    rows: Rows
    words: NDArray[np.float64]


def take_view(table: Table) -> View:
    """Return what is searchable now; called by the writer only, after a commit."""
    slices = tuple(
        SliceView(part, part.words.searcher, part.searchable_rows) for part in table.slices
    )
    return View(slices, slices[-1].part.first + slices[-1].rows)


class Search:
    """One search under way."""

    def __init__(
        self, table: Table, view: View, query: Query, as_of_ms: int | None, limit: int
    ) -> None:
        self._view = view
        self._query = query
        self._as_of_ms = as_of_ms
        self._limit = max(limit, 0)
        self._networks = table.networks.numbers(query.networks)
        self._langs = table.langs.numbers(query.langs)
        self._handles = [handle_hash(author) for author in query.authors]
        self._accounts = [
            author_hash(network, author)
            for network in table.networks.all()
            for author in query.authors
        ]
        self._searched = 0

    def results(self) -> Results:
        """Do it."""
        query = self._query
        if not query.words.strip() and not query.phrases:
            found = [self._newest(at) for at in range(len(self._view.slices))]
            return self._ranked(found, Weights(words=0.0, engagement=0.0), matched=None)
        searchers = [view.searcher for view in self._view.slices]
        ask = compile_query(query, partial(doc_frequency, searchers))
        found = [self._matching(at, ask) for at in reversed(range(len(self._view.slices)))]
        return self._ranked(found, WEIGHTS, matched=sum(len(part.rows) for part in found))

    def _newest(self, at: int) -> Found:
        """Return the newest allowed posts of a slice."""
        rows = np.flatnonzero(self._allowed(at, slice(0, self._view.slices[at].rows)))
        self._searched += len(rows)
        if len(rows) > self._limit:
            made_ms = self._view.slices[at].part.columns.made_ms[rows]
            rows = rows[rank.best_first(np.zeros(len(rows)), made_ms)[: self._limit]]
        return Found(at, rows, np.zeros(len(rows)))

    def _matching(self, at: int, ask: Ask | None) -> Found:
        """Return the posts of a slice that match words best, at least `limit` if there are."""
        part, _, row_count = self._view.slices[at]
        nothing = Found(at, np.zeros(0, np.int64), np.zeros(0))
        clause, share = None, 1.0
        if self._everything_allowed(part):
            self._searched += part.visible
        else:
            rows = np.flatnonzero(self._allowed(at, slice(0, row_count)))
            self._searched += len(rows)
            if not len(rows):
                return nothing
            clause, share = _held_to(rows, row_count)
        if ask is None or not self._limit:
            return nothing
        depth = min(int(max(_DEPTH, 2 * self._limit) / share), row_count)
        for found in self._deeper_and_deeper(at, ask, clause, depth):
            if len(found.rows) >= self._limit:
                break
        return found

    def _deeper_and_deeper(
        self, at: int, ask: Ask, clause: words.Clause | None, depth: int
    ) -> Iterator[Found]:
        _, searcher, row_count = self._view.slices[at]
        query, perfect = ask.within(clause, searcher), ask.perfect(searcher)
        while True:
            # Counting matches would make tantivy look at each; without it skips what cannot win.
            hits = searcher.search(query, max(depth, 1), count=False).hits
            addresses = [address for _, address in hits]
            rows = np.array(searcher.fast_field_values("row", addresses), np.int64)
            scores = np.array([score for score, _ in hits], np.float64) / perfect
            # A reader's searcher may know rows that the manifest does not have yet.
            inside = np.flatnonzero(rows < row_count)
            inside = inside[self._allowed(at, rows[inside])]
            yield Found(at, rows[inside], scores[inside])
            if len(hits) < depth:
                return
            depth *= 4

    def _everything_allowed(self, part: Slice) -> bool:
        query = self._query
        filters = query.langs or query.networks or query.authors
        bounded = query.since_ms > -FOREVER_MS or query.until_ms < FOREVER_MS
        past = self._as_of_ms is not None and self._as_of_ms < part.latest_ms
        return not (filters or bounded or past)

    def _allowed(self, at: int, rows: Rows | slice) -> NDArray[np.bool_]:
        """Return which rows the moment and the filters allow."""
        part, query = self._view.slices[at].part, self._query
        columns = part.columns
        allowed = part.shows(rows, self._view.rows, self._as_of_ms)
        if query.since_ms > -FOREVER_MS:
            allowed &= columns.made_ms[rows] >= query.since_ms
        if query.until_ms < FOREVER_MS:
            allowed &= columns.made_ms[rows] < query.until_ms
        if query.networks:
            allowed &= np.isin(columns.network[rows], self._networks)
        if query.langs:
            allowed &= np.isin(columns.lang[rows], self._langs)
        if query.authors:
            by_handle = np.isin(columns.handle[rows], np.array(self._handles, np.uint32))
            by_account = np.isin(columns.author[rows], np.array(self._accounts, np.uint32))
            allowed &= by_handle | by_account
        return allowed

    def _ranked(self, found: Sequence[Found], weights: Weights, matched: int | None) -> Results:
        matched = self._searched if matched is None else matched
        if not any(len(part.rows) for part in found):
            return Results((), matched, self._searched)
        made_ms = np.concatenate([self._column(part, "made_ms") for part in found])
        reach = np.concatenate([self._reactions(part, weights) for part in found])
        words_worth = np.concatenate([part.words for part in found])
        places = [(part.at, row) for part in found for row in part.rows.tolist()]
        parts = rank.score(Candidates(words_worth, made_ms, reach), weights)
        total = parts.sum(axis=1)
        hits: list[Hit] = []
        for chosen in rank.best_first(total, made_ms).tolist():
            if len(hits) >= self._limit:
                break
            post = post_as_of(
                self._view.slices[places[chosen][0]].part, places[chosen][1], self._as_of_ms
            )
            if post is not None:
                hits.append(Hit(post, float(total[chosen]), Parts(*parts[chosen].tolist())))
        return Results(tuple(hits), matched, self._searched, int(made_ms.max()))

    def _column(self, found: Found, name: str) -> NDArray[np.int64]:
        column: NDArray[np.int64] = getattr(self._view.slices[found.at].part.columns, name)
        return column[found.rows]

    def _reactions(self, found: Found, weights: Weights) -> NDArray[np.float64]:
        part = self._view.slices[found.at].part
        return rank.reactions(part.counts(found.rows, self._as_of_ms), weights)


def post_as_of(part: Slice, row: int, as_of_ms: int | None) -> Post | None:
    """Return the post of a row with its engagement as of a moment; None when it is gone."""
    post = part.post_at(row)
    if post is None:
        return None
    engagement = part.engagement(row, as_of_ms)
    if engagement == post.engagement:
        return post
    return msgspec.structs.replace(post, engagement=engagement)


def _held_to(rows: NDArray[np.intp], row_count: int) -> tuple[words.Clause | None, float]:
    """Return a clause that lets through all of `rows` and few others, and how few: their share."""
    if len(rows) <= _NAMED_ROWS:
        return words.rows_among(rows.tolist()), 1.0
    first, last = int(rows[0]), int(rows[-1])
    span = last - first + 1
    if span > 0.9 * row_count:
        return None, len(rows) / row_count
    return words.rows_between(first, last), len(rows) / span
